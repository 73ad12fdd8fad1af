#include "flowengine/explain/steps.h"

#include <algorithm>

#include "flowengine/explain/filter_text.h"
#include "flowengine/processors/processor.h"

namespace lunar {
namespace {

StepEdge edge_of(const GraphEdge& edge, const ProcessorType* type) {
  StepEdge out;
  if (edge.output >= 0 && type != nullptr) out.output = type->outputs[static_cast<size_t>(edge.output)];
  out.answer_only = edge.output == GraphEdge::no_output;
  if (edge.target != GraphEdge::stream_end) out.target = edge.target;
  return out;
}

DirectionSteps direction_of(const Plan& plan, const Flow& flow, const Graph& graph, const Declarations& declarations) {
  DirectionSteps out;
  out.rooted = graph.rooted;
  for (const GraphEdge& edge : graph.root) out.root.push_back(edge_of(edge, nullptr));
  for (const GraphNode& node : graph.nodes) {
    const Instance& instance = plan.instances[node.instance];
    Step step{.name = instance.flow == flow.name ? instance.key : instance.flow + "." + instance.key,
              .type = std::string(instance.type->name),
              .help = std::string(instance.type->help),
              .parameters = declarations.parameters(instance.flow, instance.key),
              .idle = !node.runs,
              .answers = instance.type->answers && node.runs,
              .outputs = {instance.type->outputs.begin(), instance.type->outputs.end()}};
    for (const GraphEdge& edge : node.edges) step.edges.push_back(edge_of(edge, instance.type));
    out.steps.push_back(std::move(step));
  }
  return out;
}

// Each instance that may answer in the request direction goes on at its first step with edges in the other one.
void note_answers(const Flow& flow, const FlowSteps& steps, DirectionSteps& response) {
  for (size_t i = 0; i < flow.request.nodes.size(); ++i) {
    if (!steps.request.steps[i].answers) continue;
    for (size_t j = 0; j < flow.response.nodes.size(); ++j) {
      const GraphNode& node = flow.response.nodes[j];
      if (node.instance != flow.request.nodes[i].instance || node.edges.empty()) continue;
      response.behind_answers.push_back(j);
      break;
    }
  }
}

}  // namespace

std::vector<std::string> open_outputs(const Step& step) {
  std::vector<std::string> out;
  if (step.answers || step.idle) return out;
  const bool taken =
      std::ranges::any_of(step.edges, [](const StepEdge& edge) { return edge.output.empty() && !edge.answer_only; });
  for (const std::string& name : step.outputs)
    if (!taken && std::ranges::find(step.edges, name, &StepEdge::output) == step.edges.end()) out.push_back(name);
  return out;
}

FlowSteps steps_of(const Plan& plan, const Flow& flow, const Declarations& declarations) {
  FlowSteps out{.name = flow.name,
                .file = flow.file,
                .conditions = request_conditions(flow.filter, flow.name, declarations),
                .response_conditions = response_conditions(flow.filter),
                .shadow = flow.shadow,
                .blocks_on_error = flow.blocks_on_error,
                .request = direction_of(plan, flow, flow.request, declarations),
                .response = direction_of(plan, flow, flow.response, declarations)};
  for (const UrlPattern& pattern : flow.patterns) out.patterns.push_back(pattern.text());
  note_answers(flow, out, out.response);
  return out;
}

}  // namespace lunar
