#include <algorithm>

#include "flowengine/explain/drawing.h"
#include "flowengine/explain/filter_text.h"
#include "flowengine/explain/layered.h"
#include "flowengine/expr/json.h"

namespace lunar {
namespace {

constexpr double margin = 20;
constexpr double line_height = 16;
constexpr double padding = 10;
constexpr double letter_width = 7.3;  // of the monospaced font at 12 pixels
constexpr double title_letter_width = letter_width * 14 / 12;
constexpr double label_letter_width = letter_width * 11 / 12;
constexpr size_t longest_text = 44;   // columns of a line in a box
constexpr size_t longest_note = 100;  // and of one above the picture
constexpr size_t most_lines = 3;      // that a text may take

std::string escaped(std::string_view text) {
  std::string out;
  for (const char byte : valid_utf8(text)) {
    switch (byte) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f ? '?' : byte;
    }
  }
  return out;
}

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// A monospaced font gives two columns to most of what lies beyond U+3000.
size_t columns_of(char first_byte) { return static_cast<unsigned char>(first_byte) >= 0xE3 ? 2 : 1; }

size_t columns(std::string_view text) {
  size_t out = 0;
  for (const char byte : text)
    if (begins_character(byte)) out += columns_of(byte);
  return out;
}

// The bytes of the whole characters at the front that fit into so many columns.
size_t fitting(std::string_view text, size_t longest) {
  size_t seen = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!begins_character(text[at])) continue;
    seen += columns_of(text[at]);
    if (seen > longest) return at;
  }
  return text.size();
}

std::string shortened(std::string_view text, size_t longest = longest_text) {
  const size_t end = fitting(text, longest);
  return end == text.size() ? std::string(text) : std::string(text.substr(0, end)) + "…";
}

// Lines broken at blanks where there are some; what does not fit into the last one is left out.
std::vector<std::string> wrapped(std::string_view text, size_t longest) {
  std::vector<std::string> out;
  while (out.size() + 1 < most_lines && columns(text) > longest) {
    const size_t blank = text.substr(0, fitting(text, longest) + 1).rfind(' ');
    const bool broken = blank != std::string_view::npos && blank > 0;
    const size_t end = broken ? blank : fitting(text, longest);
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(broken ? end + 1 : end);
  }
  out.push_back(shortened(text, longest));
  return out;
}

std::string px(double value) { return number_text(static_cast<double>(static_cast<int64_t>(value * 10 + 0.5)) / 10); }

enum class BoxKind : uint8_t {
  step,
  end,    // where the direction begins or ends
  label,  // of an edge, which goes through it: so no two texts share a place
};

struct Picture {
  struct Box {
    std::vector<std::string> lines;
    BoxKind kind = BoxKind::step;
  };
  std::vector<Box> boxes;
  std::vector<LayoutEdge> edges;

  size_t add(Box box) {
    boxes.push_back(std::move(box));
    return boxes.size() - 1;
  }
  void connect(size_t from, size_t to, const std::string& label) {
    if (!label.empty()) {
      const size_t between = add({{label}, BoxKind::label});
      edges.push_back({from, between, {}});
      from = between;
    }
    edges.push_back({from, to, {}});
  }
};

class PictureMaker {
 public:
  PictureMaker(const DirectionSteps& steps, Phase phase) : steps_(steps), phase_(phase), known_(steps.steps.size()) {}

  Picture make() {
    if (!steps_.root.empty()) follow(end_box(begin_text(phase_)), steps_.root);
    for (const size_t index : steps_.behind_answers)
      follow(end_box("answer of " + shortened(steps_.steps[index].name)), steps_.steps[index].edges);
    if (out_.boxes.empty()) end_box("nothing");
    while (!open_.empty()) {
      const size_t index = open_.back();
      open_.pop_back();
      follow(*known_[index], steps_.steps[index].edges);
    }
    return std::move(out_);
  }

 private:
  size_t end_box(std::string_view text) { return out_.add({{std::string(text)}, BoxKind::end}); }

  void follow(size_t from, const std::vector<StepEdge>& edges) {
    for (const StepEdge& edge : edges)
      out_.connect(from, edge.target ? step(*edge.target) : end(), edge.answer_only ? "answer" : edge.output);
  }

  size_t step(size_t index) {
    if (!known_[index]) {
      known_[index] = out_.add({describe(steps_.steps[index]), BoxKind::step});
      open_.push_back(index);
    }
    return *known_[index];
  }

  static std::vector<std::string> describe(const Step& step) {
    std::vector<std::string> out{shortened(step.name), step.type + (step.idle ? " (does nothing here)" : "")};
    if (!step.parameters.empty())
      for (std::string& line : wrapped(step.parameters, longest_text)) out.push_back(std::move(line));
    if (step.answers) out.emplace_back(step.outputs.empty() ? "answers the client" : "may answer the client");
    for (const std::string& output : open_outputs(step)) out.push_back(output + ": nothing follows");
    return out;
  }

  size_t end() {
    if (!end_) end_ = end_box(end_text(phase_));
    return *end_;
  }

  const DirectionSteps& steps_;
  Phase phase_;
  std::vector<std::optional<size_t>> known_;
  std::vector<size_t> open_;
  std::optional<size_t> end_;
  Picture out_;
};

std::string text_at(double x, double y, std::string_view style, const std::string& text) {
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" class=\"" + std::string(style) + "\">" + escaped(text) +
         "</text>\n";
}

std::string path_of(const std::vector<LayoutPoint>& points, double dx, double dy) {
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    const double x = points[i].x + dx;
    const double y = points[i].y + dy;
    if (i == 0) {
      out += "M" + px(x) + " " + px(y);
    } else if (i % 2 == 1) {
      out += "L" + px(x) + " " + px(y);
    } else {
      const double before_x = points[i - 1].x + dx;
      const double middle = (points[i - 1].y + dy + y) / 2;
      out += "C" + px(before_x) + " " + px(middle) + " " + px(x) + " " + px(middle) + " " + px(x) + " " + px(y);
    }
  }
  return out;
}

LayoutBox size_of(const Picture::Box& box) {
  size_t widest = 0;
  for (const std::string& line : box.lines) widest = std::max(widest, columns(line));
  const auto letters = static_cast<double>(widest);
  if (box.kind == BoxKind::label) return {.width = letters * label_letter_width, .height = line_height};
  return {.width = letters * letter_width + 2 * padding,
          .height = static_cast<double>(box.lines.size()) * line_height + padding};
}

std::string box_svg(const LayoutBox& at, const Picture::Box& box, double top) {
  constexpr double baseline = 12;  // in a line
  const double middle = at.x + at.width / 2 + margin;
  if (box.kind == BoxKind::label) return text_at(middle, at.y + top + baseline, "label", box.lines[0]);
  const bool step = box.kind == BoxKind::step;
  std::string out = "<rect class=\"" + std::string(step ? "step" : "end") + "\" x=\"" + px(at.x + margin) + "\" y=\"" +
                    px(at.y + top) + "\" width=\"" + px(at.width) + "\" height=\"" + px(at.height) + "\" rx=\"" +
                    (step ? "4" : "12") + "\"/>\n";
  for (size_t line = 0; line < box.lines.size(); ++line)
    out += text_at(middle, at.y + top + static_cast<double>(line + 1) * line_height,
                   line == 0 && step ? "name" : "detail", box.lines[line]);
  return out;
}

// One direction, from `top` on; moves `size` to what it takes.
std::string direction_svg(const DirectionSteps& steps, Phase phase, double top, LayoutSize& size) {
  Picture picture = PictureMaker(steps, phase).make();
  std::vector<LayoutBox> boxes;
  for (const Picture::Box& box : picture.boxes) boxes.push_back(size_of(box));
  size = lay_out(boxes, picture.edges);
  std::string out;
  for (const LayoutEdge& edge : picture.edges) {
    const bool arrives = picture.boxes[edge.to].kind != BoxKind::label;
    out += "<path class=\"edge\"" + std::string(arrives ? " marker-end=\"url(#tip)\"" : "") + " d=\"" +
           path_of(edge.points, margin, top) + "\"/>\n";
  }
  for (size_t i = 0; i < boxes.size(); ++i) out += box_svg(boxes[i], picture.boxes[i], top);
  return out;
}

// With a page of its own: what it is put on need not follow the reader's preference.
constexpr std::string_view style = R"(<style>
svg { color: #24292f; font: 12px ui-monospace, monospace }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) { svg { color: #d0d7de } .page { fill: #0d1117 } }
text { fill: currentColor; text-anchor: middle }
.title { font-size: 14px; font-weight: bold; text-anchor: start }
.heading { font-weight: bold; text-anchor: start }
.note { text-anchor: start }
.name { font-weight: bold }
.label { font-size: 11px; font-style: italic }
.edge { fill: none; stroke: currentColor; opacity: 0.6 }
.step { fill: none; stroke: currentColor }
.end { fill: none; stroke: currentColor; stroke-dasharray: 4 3 }
.tip { fill: currentColor }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>
)";

}  // namespace

std::string draw_svg(const FlowSteps& flow) {
  double top = margin;
  double width = 0;
  std::string body;
  auto write_line = [&](std::string_view kind, const std::string& text, double letter) {
    body += text_at(margin, top + line_height, kind, text);
    width = std::max(width, static_cast<double>(columns(text)) * letter);
    top += line_height;
  };
  write_line("title", shortened(flow.name + " (" + flow.file + ")", longest_note), title_letter_width);
  top += line_height / 2;
  for (const std::string& note : notes_of(flow))
    for (const std::string& line : wrapped(note, longest_note)) write_line("note", line, letter_width);
  for (const Phase phase : {Phase::request, Phase::response}) {
    const bool request = phase == Phase::request;
    const std::string condition = request ? "" : joined(flow.response_conditions, "; ");
    const std::string heading = request ? "request" : "response" + (condition.empty() ? "" : ", if " + condition);
    top += line_height;
    for (const std::string& line : wrapped(heading, longest_note)) write_line("heading", line, letter_width);
    top += line_height;
    LayoutSize size;
    body += direction_svg(request ? flow.request : flow.response, phase, top, size);
    top += size.height;
    width = std::max(width, size.width);
  }
  const std::string w = px(width + 2 * margin);
  const std::string h = px(top + margin);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " +
         h + "\" role=\"img\" aria-label=\"" + escaped("flow " + flow.name) + "\">\n" + std::string(style) +
         "<rect class=\"page\" width=\"" + w + "\" height=\"" + h + "\"/>\n" + body + "</svg>\n";
}

}  // namespace lunar
