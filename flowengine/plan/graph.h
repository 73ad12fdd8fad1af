// The steps of one direction of a flow: what runs behind what, with spliced flows already inserted.
#pragma once

#include <cstdint>
#include <vector>

namespace lunar {

struct GraphEdge {
  static constexpr int16_t any_output = -1;  // taken whatever the output was
  static constexpr int16_t no_output = -2;   // condition missing: taken by an early response alone
  static constexpr uint32_t stream_end = UINT32_MAX;

  int16_t output = any_output;   // index in the type's outputs
  uint32_t target = stream_end;  // index in Graph::nodes

  [[nodiscard]] bool taken(int16_t given) const { return output == any_output || output == given; }
};

struct GraphNode {
  uint32_t instance = 0;         // index in Plan::instances
  bool runs = true;              // false: the type does nothing in this direction
  std::vector<GraphEdge> edges;  // in file order
};

struct Graph {
  bool rooted = false;
  std::vector<GraphEdge> root;
  std::vector<GraphNode> nodes;
};

}  // namespace lunar
