#include "flowengine/compile/graph_builder.h"

#include <algorithm>
#include <set>

#include "flowengine/compile/graph_check.h"
#include "flowengine/spelling.h"

namespace lunar {
namespace {

// Flows that splice one another multiply: bounds of what they may become.
constexpr size_t largest_graph = 100'000;  // nodes and edges of one direction
constexpr size_t largest_sum = 2'000'000;  // of all graphs
constexpr size_t deepest_nesting = 64;

std::string joined(std::span<const std::string_view> names) {
  std::string out;
  for (std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

// One direction of one flow, with everything that it splices.
class GraphBuilder {
 public:
  GraphBuilder(FlowDraft& draft, bool response, GraphWorkshop& around, std::vector<std::string> within)
      : draft_(draft),
        response_(response),
        around_(around),
        within_(std::move(within)),
        reader_(draft.file, around.out) {
    within_.push_back(draft.name);
  }

  // Built once, however many flows splice it.
  static const BuiltGraph& built(FlowDraft& draft, bool response, GraphWorkshop& around,
                                 const std::vector<std::string>& within) {
    auto known = around.built.find({&draft, response});
    if (known != around.built.end()) return known->second;
    GraphBuilder builder(draft, response, around, within);
    BuiltGraph out{.graph = builder.build(), .named = std::move(builder.nodes_)};
    return around.built.emplace(std::pair(&draft, response), std::move(out)).first->second;
  }

 private:
  std::optional<Graph> build() {
    const std::vector<Connection>& connections = response_ ? draft_.response : draft_.request;
    for (const Connection& connection : connections) prepare(connection);
    const bool prepared = good_;
    for (const Connection& connection : connections)
      if (prepared) connect(connection);
    around_.size += graph_.nodes.size() + edges_;
    if (!good_) return std::nullopt;
    return std::move(graph_);
  }

  struct Splice {
    const Graph& graph;
    uint32_t offset = 0;                  // of its nodes in ours
    std::vector<uint32_t> continuations;  // our targets behind its end
  };

  void error(Position at, std::string_view id, const std::string& text) {
    good_ = false;
    reader_.error(at, id, direction() + ": " + text);
  }
  [[nodiscard]] std::string direction() const { return response_ ? "flow response" : "flow request"; }

  void prepare(const Connection& connection) {
    for (const ConnectionEnd* end : {&connection.from, &connection.to}) {
      bool is_target = end == &connection.to;
      if (end->kind == ConnectionEnd::Kind::processor && !(is_target && is_stream_end(*end)))
        (void)node_of(*end, is_target);
      if (end->kind == ConnectionEnd::Kind::flow) splice(*end);
    }
    if (connection.from.kind == ConnectionEnd::Kind::flow && connection.to.kind != ConnectionEnd::Kind::flow) {
      auto found = splices_.find(connection.from.name);
      if (found != splices_.end()) found->second.continuations.push_back(target_of(connection.to));
    }
  }

  [[nodiscard]] bool is_stream_end(const ConnectionEnd& end) const {
    return end.kind == ConnectionEnd::Kind::stream || (end.name == "end" && !draft_.processors.contains("end"));
  }

  // The declaration that a name means; null when a finding was added.
  DeclaredProcessor* declaration(const ConnectionEnd& end) {
    if (auto local = draft_.processors.find(end.name); local != draft_.processors.end()) return &local->second;
    size_t dot = end.name.find('.');
    if (dot == std::string::npos) {
      std::string near = near_name(end.name, draft_);
      error(end.position, "processor-unknown", "this flow declares no processor `" + end.name + "`" + near);
      return nullptr;
    }
    if (end.name.find('.', dot + 1) != std::string::npos) {
      error(end.position, "too-many-dots", "`" + end.name + "` has more than one dot; write Flow.Processor");
      return nullptr;
    }
    auto flow = around_.drafts.find(end.name.substr(0, dot));
    if (flow == around_.drafts.end()) {
      error(end.position, "flow-not-found", "there is no flow `" + end.name.substr(0, dot) + "`");
      return nullptr;
    }
    auto found = flow->second->processors.find(end.name.substr(dot + 1));
    if (found == flow->second->processors.end()) {
      error(end.position, "processor-unknown",
            "flow `" + flow->first + "` declares no processor `" + end.name.substr(dot + 1) + "`" +
                near_name(end.name.substr(dot + 1), *flow->second));
      return nullptr;
    }
    return &found->second;
  }

  static std::string near_name(std::string_view name, const FlowDraft& draft) {
    std::vector<std::string_view> names(draft.processor_order.begin(), draft.processor_order.end());
    std::string_view near = nearest_name(name, names);
    return near.empty() ? "" : "; did you mean `" + std::string(near) + "`?";
  }

  std::optional<uint32_t> node_of(const ConnectionEnd& end, bool is_target) {
    DeclaredProcessor* declared = declaration(end);
    if (declared == nullptr) return std::nullopt;
    declared->used = true;
    if (!declared->usable) {
      good_ = false;  // its own finding says why
      return std::nullopt;
    }
    auto [known, added] = nodes_.try_emplace(end.name, static_cast<uint32_t>(graph_.nodes.size()), end.position);
    if (added) {
      const Directions& directions = declared->type->directions;
      bool runs = response_ ? directions.response : directions.request;
      graph_.nodes.push_back({.instance = declared->instance, .runs = runs, .edges = {}});
    }
    if (is_target) warn_direction(end, *declared);
    return known->second.first;
  }

  void warn_direction(const ConnectionEnd& end, const DeclaredProcessor& declared) {
    const Directions& directions = declared.type->directions;
    bool runs = response_ ? directions.response : directions.request;
    if (runs) return warn_idle_part(end, *around_.instances[declared.instance].processor);
    if (response_ && declared.type->silent_in_response) return;
    reader_.warn(end.position, "wrong-direction",
                 direction() + ": `" + end.name + "` is a " + std::string(declared.type->name) +
                     ", which works on the " + (response_ ? "request" : "response") + "; here it does nothing");
  }

  void warn_idle_part(const ConnectionEnd& end, const Processor& processor) {
    std::string_view part = processor.idle_part(response_ ? Phase::response : Phase::request);
    if (part.empty()) return;
    reader_.warn(end.position, "wrong-direction",
                 direction() + ": `" + end.name + "` has " + std::string(part) + ", which does nothing here");
  }

  void splice(const ConnectionEnd& end) {
    if (splices_.contains(end.name) || !tried_.insert(end.name).second) return;
    auto found = around_.drafts.find(end.name);
    if (found == around_.drafts.end())
      return error(end.position, "flow-not-found", "there is no flow `" + end.name + "`");
    if (std::ranges::find(within_, end.name) != within_.end()) {
      std::string path;
      for (const std::string& name : within_) path += name + " -> ";
      return error(end.position, "circular", "flows contain one another: " + path + end.name);
    }
    if (within_.size() == deepest_nesting)
      return error(end.position, "circular",
                   "flows contain one another more than " + std::to_string(deepest_nesting) +
                       " deep: " + within_.front() + " -> ... -> " + end.name);
    if (!found->second->good) return error(end.position, "flow-not-found", "flow `" + end.name + "` has errors");
    const BuiltGraph& inner = built(*found->second, response_, around_, within_);
    if (!inner.graph) {
      good_ = false;
      return;
    }
    splices_.emplace(end.name, Splice{*inner.graph, static_cast<uint32_t>(graph_.nodes.size()), {}});
    if (too_large(end.position, inner.graph->nodes.size())) return;
    for (const GraphNode& node : inner.graph->nodes) graph_.nodes.push_back({node.instance, node.runs, {}});
  }

  bool too_large(Position at, size_t more) {
    const size_t size = graph_.nodes.size() + edges_ + more;
    const bool large = size > largest_graph || around_.size + size > largest_sum;
    if (large && good_)
      error(at, "circular",
            "with the flows inside this comes to more than " +
                std::to_string(size > largest_graph ? largest_graph : largest_sum) + " steps");
    return large;
  }

  [[nodiscard]] uint32_t target_of(const ConnectionEnd& end) {
    if (is_stream_end(end)) return GraphEdge::stream_end;
    auto found = nodes_.find(end.name);
    return found == nodes_.end() ? GraphEdge::stream_end : found->second.first;
  }

  // An edge of a spliced flow, in our numbers; its end is where we go on.
  void copy_edge(const GraphEdge& edge, const Splice& spliced, std::vector<GraphEdge>& out) {
    edges_ += std::max<size_t>(spliced.continuations.size(), 1);
    if (!good_ || too_large(draft_.name_position, 0)) return;
    if (edge.target != GraphEdge::stream_end) return out.push_back({edge.output, edge.target + spliced.offset});
    for (uint32_t target : spliced.continuations) out.push_back({edge.output, target});
  }

  void fill(Splice& spliced) {
    for (size_t i = 0; i < spliced.graph.nodes.size(); ++i) {
      GraphNode& node = graph_.nodes[spliced.offset + i];
      if (!node.edges.empty()) return;  // filled before
      for (const GraphEdge& edge : spliced.graph.nodes[i].edges) copy_edge(edge, spliced, node.edges);
    }
  }

  // Where a connection leads: more than one edge where a flow with several roots begins.
  void add_target(const ConnectionEnd& to, int16_t output, std::vector<GraphEdge>& out) {
    if (to.kind != ConnectionEnd::Kind::flow) return out.push_back({output, target_of(to)});
    Splice& spliced = splices_.at(to.name);
    fill(spliced);
    if (!spliced.graph.rooted)
      for (uint32_t target : spliced.continuations) out.push_back({output, target});
    for (GraphEdge edge : spliced.graph.root) {
      edge.output = output;
      copy_edge(edge, spliced, out);
    }
  }

  void connect(const Connection& connection) {
    switch (connection.from.kind) {
      case ConnectionEnd::Kind::stream:
        graph_.rooted = true;
        return add_target(connection.to, GraphEdge::any_output, graph_.root);
      case ConnectionEnd::Kind::flow:
        if (connection.to.kind == ConnectionEnd::Kind::flow)
          error(connection.position, "invalid-connection",
                "from " + connection.from.text() + " to " + connection.to.text() + " needs a processor in between");
        return;
      case ConnectionEnd::Kind::processor:
        break;
    }
    auto output = output_of(connection.from);
    auto node = nodes_.find(connection.from.name);
    if (!output || node == nodes_.end()) return;
    std::vector<GraphEdge> edges;
    add_target(connection.to, *output, edges);
    std::ranges::copy(edges, std::back_inserter(graph_.nodes[node->second.first].edges));
  }

  std::optional<int16_t> output_of(const ConnectionEnd& from) {
    const DeclaredProcessor* declared = declaration(from);
    if (declared == nullptr) return std::nullopt;
    const ProcessorType& type = *declared->type;
    if (!from.condition) {
      if (type.outputs.empty()) return GraphEdge::any_output;
      reader_.warn(from.position, "condition-missing",
                   direction() + ": `" + from.name + "` has the outputs " + joined(type.outputs) +
                       "; without a `condition` this edge is taken by an early response alone");
      return GraphEdge::no_output;
    }
    std::string_view wanted = *from.condition;
    for (const OutputAlias& alias : type.aliases) {
      if (alias.name != wanted) continue;
      reader_.note(
          from.condition_position, "dialect",
          direction() + ": condition `" + std::string(wanted) + "` is read as `" + std::string(alias.means) + "`");
      wanted = alias.means;
      break;
    }
    auto found = std::ranges::find(type.outputs, wanted);
    if (found != type.outputs.end()) return static_cast<int16_t>(found - type.outputs.begin());
    error(from.condition_position, "condition-not-found",
          "`" + from.name + "` (" + std::string(type.name) + ") has no output `" + *from.condition + "`; " +
              (type.outputs.empty() ? "its one output has no name" : "it has " + joined(type.outputs)));
    return std::nullopt;
  }

  FlowDraft& draft_;
  bool response_;
  GraphWorkshop& around_;
  std::vector<std::string> within_;
  Reader reader_;
  Graph graph_;
  size_t edges_ = 0;  // that were copied
  NamedNodes nodes_;
  std::map<std::string, Splice> splices_;
  std::set<std::string> tried_;  // flows that were to be spliced: what is wrong with one is said once
  bool good_ = true;
};

}  // namespace

FlowGraphs build_graphs(FlowDraft& draft, GraphWorkshop& around) {
  const BuiltGraph& request = GraphBuilder::built(draft, false, around, {});
  const BuiltGraph& response = GraphBuilder::built(draft, true, around, {});
  draft.good = draft.good && request.graph && response.graph;
  FlowCheck check(draft, around.instances, around.out);
  if (request.graph && draft.request_read) check.check(request.named, *request.graph, false);
  if (response.graph && draft.response_read) check.check(response.named, *response.graph, true);
  if (!request.graph || !response.graph || !draft.request_read || !draft.response_read) return {};
  check.warn_silent_answers(request.named, *request.graph, *response.graph);
  return {.request = *request.graph, .response = *response.graph};
}

}  // namespace lunar
