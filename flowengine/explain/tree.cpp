#include <algorithm>

#include "flowengine/explain/drawing.h"
#include "flowengine/explain/filter_text.h"

namespace lunar {
namespace {

class Tree {
 public:
  Tree(const DirectionSteps& steps, Phase phase) : steps_(steps), phase_(phase), drawn_(steps.steps.size(), false) {}

  std::vector<std::string> draw() {
    const bool rooted = !steps_.root.empty();
    if (!rooted && steps_.behind_answers.empty()) lines_.emplace_back("└─ nothing");
    for (size_t i = 0; i < steps_.behind_answers.size(); ++i) {
      const Step& step = steps_.steps[steps_.behind_answers[i]];
      const bool last = !rooted && i + 1 == steps_.behind_answers.size();
      lines_.push_back((last ? "└─ " : "├─ ") + std::string("behind the answer of ") + step.name);
      draw_edges(step, last ? "   " : "│  ");
    }
    const Step root{.edges = steps_.root};
    draw_edges(root, "");
    return std::move(lines_);
  }

 private:
  static std::string label(const StepEdge& edge) {
    if (edge.answer_only) return "after its answer: ";
    return edge.output.empty() ? "" : edge.output + ": ";
  }

  static std::string describe(const Step& step) {
    std::string out = step.name + " (" + step.type + ")";
    if (!step.parameters.empty()) out += " " + step.parameters;
    if (step.answers) out += step.outputs.empty() ? " - answers the client" : " - may answer the client";
    if (step.idle) out += " - does nothing here";
    return out;
  }

  void draw_edges(const Step& step, const std::string& indent) {
    const std::vector<std::string> open = open_outputs(step);
    for (size_t i = 0; i < step.edges.size(); ++i)
      draw_edge(step.edges[i], indent, open.empty() && i + 1 == step.edges.size());
    for (size_t i = 0; i < open.size(); ++i)
      lines_.push_back(indent + (i + 1 == open.size() ? "└─ " : "├─ ") + open[i] + ": nothing follows");
  }

  void draw_edge(const StepEdge& edge, const std::string& indent, bool last) {
    const std::string head = indent + (last ? "└─ " : "├─ ") + label(edge);
    if (!edge.target) {
      lines_.push_back(head + std::string(end_text(phase_)));
      return;
    }
    const Step& step = steps_.steps[*edge.target];
    if (drawn_[*edge.target]) {
      lines_.push_back(head + step.name + " (as above)");
      return;
    }
    drawn_[*edge.target] = true;
    lines_.push_back(head + describe(step));
    draw_edges(step, indent + (last ? "   " : "│  "));
  }

  const DirectionSteps& steps_;
  Phase phase_;
  std::vector<bool> drawn_;
  std::vector<std::string> lines_;
};

void append_lines(std::string& out, std::string_view title, const std::vector<std::string>& lines) {
  out.append(title).append("\n");
  for (const std::string& line : lines) out.append("  ").append(line).append("\n");
}

}  // namespace

std::string_view begin_text(Phase phase) { return phase == Phase::request ? "from the client" : "from the provider"; }
std::string_view end_text(Phase phase) { return phase == Phase::request ? "to the provider" : "to the client"; }

std::vector<std::string> draw_tree(const DirectionSteps& steps, Phase phase) { return Tree(steps, phase).draw(); }

std::vector<std::string> notes_of(const FlowSteps& flow) {
  std::vector<std::string> out{"url: " + joined(flow.patterns, ", ")};
  out.insert(out.end(), flow.conditions.begin(), flow.conditions.end());
  if (flow.shadow) out.emplace_back("mode: shadow, changes nothing");
  if (flow.blocks_on_error) out.emplace_back("on_error: block");
  return out;
}

std::string draw_text(const FlowSteps& flow) {
  std::string out;
  append_lines(out, flow.name + " (" + flow.file + ")", notes_of(flow));
  append_lines(out, "request", draw_tree(flow.request, Phase::request));
  const std::string condition = joined(flow.response_conditions, "; ");
  append_lines(out, condition.empty() ? "response" : "response, if " + condition,
               draw_tree(flow.response, Phase::response));
  return out;
}

}  // namespace lunar
