#include "flowengine/compile/graph_check.h"

#include <algorithm>

namespace lunar {
namespace {

// Depth-first without recursion: a path may have as many steps as a configuration can hold.
class GraphWalk {
 public:
  GraphWalk(const Graph& graph, const std::vector<Instance>& instances)
      : graph_(graph), instances_(instances), visits_(graph.nodes.size(), Visit::never) {}

  // The processors on a path that comes back to itself; empty: there is none.
  [[nodiscard]] std::string find_circle(const std::vector<GraphEdge>& edges) {
    path_.assign(1, {.edges = &edges});
    while (!path_.empty()) {
      Place& here = path_.back();
      if (here.next == here.edges->size()) {
        if (here.node != none) visits_[here.node] = Visit::done;
        path_.pop_back();
        continue;
      }
      const uint32_t target = (*here.edges)[here.next++].target;
      if (target == GraphEdge::stream_end || visits_[target] == Visit::done) continue;
      if (visits_[target] == Visit::open) return path_text(target);
      visits_[target] = Visit::open;
      path_.push_back({.edges = &graph_.nodes[target].edges, .node = target});
    }
    return "";
  }
  [[nodiscard]] bool reached(uint32_t node) const { return visits_[node] != Visit::never; }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  enum class Visit : uint8_t { never, open, done };
  struct Place {
    const std::vector<GraphEdge>* edges = nullptr;
    size_t next = 0;
    uint32_t node = none;
  };

  [[nodiscard]] const std::string& key(uint32_t node) const { return instances_[graph_.nodes[node].instance].key; }

  [[nodiscard]] std::string path_text(uint32_t again) const {
    std::string out;
    for (const Place& place : path_)
      if (place.node != none) out += key(place.node) + " -> ";
    return out + key(again);
  }

  const Graph& graph_;
  const std::vector<Instance>& instances_;
  std::vector<Visit> visits_;
  std::vector<Place> path_;
};

}  // namespace

void FlowCheck::check(const NamedNodes& named, const Graph& graph, bool response) {
  const std::string direction = response ? "flow response: " : "flow request: ";
  Position at = response ? draft_.response_position : draft_.request_position;
  if (!response && !graph.rooted) return fail(at, "no-root", direction + "no connection leaves `stream start`");
  GraphWalk walk(graph, instances_);
  std::string circle = walk.find_circle(graph.root);
  for (const GraphNode& node : graph.nodes) {
    bool continues = response && instances_[node.instance].type->answers;
    if (continues && circle.empty()) circle = walk.find_circle(node.edges);
  }
  if (!circle.empty()) return fail(at, "circular", direction + "a processor is reached again on one path: " + circle);
  for (const auto& [name, place] : named) {
    bool continues = response && instances_[graph.nodes[place.first].instance].type->answers;
    if (walk.reached(place.first) || continues) continue;
    std::string text = direction;
    fail(place.second, "unconnected", std::move(text.append("`").append(name).append("` is reached from nowhere")));
  }
}

void FlowCheck::warn_silent_answers(const NamedNodes& requests, const Graph& request, const Graph& response) {
  for (const auto& [name, place] : requests) {
    const GraphNode& node = request.nodes[place.first];
    if (!instances_[node.instance].type->answers) continue;
    bool continues = std::ranges::any_of(response.nodes, [&](const GraphNode& other) {
      return other.instance == node.instance && !other.edges.empty();
    });
    if (!continues)
      reader_.warn(place.second, "early-response-no-edge",
                   "flow response: no connection leaves `" + name +
                       "`, so that nothing of this flow's response side runs behind its answer");
  }
}

void FlowCheck::fail(Position at, std::string_view id, std::string text) {
  draft_.good = false;
  reader_.error(at, id, std::move(text));
}

}  // namespace lunar
