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
constexpr size_t longest_text = 44;

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

size_t letters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

// Whole characters, before anything is escaped.
std::string shortened(const std::string& text, size_t longest = longest_text) {
  if (letters(text) <= longest) return text;
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && seen++ == longest) break;
  }
  return text.substr(0, end) + "…";
}

std::string px(double value) { return number_text(static_cast<double>(static_cast<int64_t>(value * 10 + 0.5)) / 10); }

struct Picture {
  struct Box {
    std::vector<std::string> lines;
    bool step = true;  // else where the direction begins or ends
  };
  std::vector<Box> boxes;
  std::vector<LayoutEdge> edges;
  std::vector<std::string> labels;  // of the edges

  size_t add(Box box) {
    boxes.push_back(std::move(box));
    return boxes.size() - 1;
  }
  void connect(size_t from, size_t to, const std::string& label) {
    edges.push_back({from, to, {}});
    labels.push_back(label);
  }
};

class PictureMaker {
 public:
  PictureMaker(const DirectionSteps& steps, Phase phase) : steps_(steps), phase_(phase), known_(steps.steps.size()) {}

  Picture make() {
    if (!steps_.root.empty()) follow(out_.add({{std::string(begin_text(phase_))}, false}), steps_.root);
    for (const size_t index : steps_.behind_answers)
      follow(out_.add({{"answer of " + shortened(steps_.steps[index].name)}, false}), steps_.steps[index].edges);
    while (!open_.empty()) {
      const size_t index = open_.back();
      open_.pop_back();
      follow(*known_[index], steps_.steps[index].edges);
    }
    return std::move(out_);
  }

 private:
  void follow(size_t from, const std::vector<StepEdge>& edges) {
    for (const StepEdge& edge : edges)
      out_.connect(from, edge.target ? step(*edge.target) : end(), edge.answer_only ? "answer" : edge.output);
  }

  size_t step(size_t index) {
    if (!known_[index]) {
      const Step& one = steps_.steps[index];
      Picture::Box box{{shortened(one.name), one.type + (one.idle ? " (does nothing here)" : "")}, true};
      if (!one.parameters.empty()) box.lines.push_back(shortened(one.parameters));
      if (one.answers) box.lines.emplace_back(one.outputs.empty() ? "answers the client" : "may answer the client");
      known_[index] = out_.add(std::move(box));
      open_.push_back(index);
    }
    return *known_[index];
  }

  size_t end() {
    if (!end_) end_ = out_.add({{std::string(end_text(phase_))}, false});
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
    } else if (i % 2 == 0) {
      out += "L" + px(x) + " " + px(y);
    } else {
      const double before_x = points[i - 1].x + dx;
      const double middle = (points[i - 1].y + dy + y) / 2;
      out += "C" + px(before_x) + " " + px(middle) + " " + px(x) + " " + px(middle) + " " + px(x) + " " + px(y);
    }
  }
  return out;
}

// One direction, from `top` on; moves `size` to what it takes.
std::string direction_svg(const DirectionSteps& steps, Phase phase, double top, LayoutSize& size) {
  Picture picture = PictureMaker(steps, phase).make();
  std::vector<LayoutBox> boxes;
  for (const Picture::Box& box : picture.boxes) {
    size_t widest = 0;
    for (const std::string& line : box.lines) widest = std::max(widest, letters(line));
    boxes.push_back({.width = static_cast<double>(widest) * letter_width + 2 * padding,
                     .height = static_cast<double>(box.lines.size()) * line_height + padding});
  }
  size = lay_out(boxes, picture.edges);
  std::string out;
  for (size_t i = 0; i < picture.edges.size(); ++i) {
    const auto& points = picture.edges[i].points;
    out += "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"" + path_of(points, margin, top) + "\"/>\n";
    if (!picture.labels[i].empty())
      out += text_at((points[0].x + points[1].x) / 2 + margin, (points[0].y + points[1].y) / 2 + top, "label",
                     picture.labels[i]);
  }
  for (size_t i = 0; i < boxes.size(); ++i) {
    const LayoutBox& box = boxes[i];
    const Picture::Box& content = picture.boxes[i];
    out += "<rect class=\"" + std::string(content.step ? "step" : "end") + "\" x=\"" + px(box.x + margin) + "\" y=\"" +
           px(box.y + top) + "\" width=\"" + px(box.width) + "\" height=\"" + px(box.height) + "\" rx=\"" +
           (content.step ? "4" : "12") + "\"/>\n";
    for (size_t line = 0; line < content.lines.size(); ++line)
      out += text_at(box.x + box.width / 2 + margin, box.y + top + static_cast<double>(line + 1) * line_height,
                     line == 0 && content.step ? "name" : "detail", content.lines[line]);
  }
  return out;
}

constexpr std::string_view style = R"(<style>
svg { color: #24292f; font: 12px ui-monospace, monospace }
@media (prefers-color-scheme: dark) { svg { color: #d0d7de } }
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
  constexpr size_t longest_note = 100;
  std::vector<std::string> notes{"url: " + joined(flow.patterns, ", ")};
  notes.insert(notes.end(), flow.conditions.begin(), flow.conditions.end());
  std::string body =
      text_at(margin, margin + line_height, "title", shortened(flow.name + " (" + flow.file + ")", longest_note));
  double top = margin + 2 * line_height;
  double width = static_cast<double>(letters(flow.name) + letters(flow.file) + 3) * letter_width * 1.2;
  for (const std::string& note : notes) {
    const std::string text = shortened(note, longest_note);
    body += text_at(margin, top + line_height / 2, "note", text);
    width = std::max(width, static_cast<double>(letters(text)) * letter_width);
    top += line_height;
  }
  for (const Phase phase : {Phase::request, Phase::response}) {
    const bool request = phase == Phase::request;
    const std::string condition = request ? "" : joined(flow.response_conditions, "; ");
    const std::string heading = request ? "request" : "response" + (condition.empty() ? "" : ", if " + condition);
    body += text_at(margin, top + line_height, "heading", shortened(heading, longest_note));
    width = std::max(width, static_cast<double>(letters(shortened(heading, longest_note))) * letter_width);
    LayoutSize size;
    body += direction_svg(request ? flow.request : flow.response, phase, top + 2 * line_height, size);
    top += size.height + 4 * line_height;
    width = std::max(width, size.width);
  }
  const std::string w = px(width + 2 * margin);
  const std::string h = px(top);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " +
         h + "\" role=\"img\" aria-label=\"" + escaped("flow " + flow.name) + "\">\n" + std::string(style) + body +
         "</svg>\n";
}

}  // namespace lunar
