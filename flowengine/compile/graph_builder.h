// Connections to graphs: names resolved, other flows spliced in, and what cannot run found (flows.md §2).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flowengine/compile/flow_draft.h"
#include "flowengine/compile/graph_check.h"
#include "flowengine/processors/processor.h"

namespace lunar {

// Every usable flow of one configuration, by name.
using FlowDrafts = std::map<std::string, FlowDraft*, std::less<>>;

struct FlowGraphs {
  Graph request, response;
};

struct BuiltGraph {
  std::optional<Graph> graph;  // nothing: a finding says why
  NamedNodes named;
};

// What the graphs of one configuration share while they are built.
struct GraphWorkshop {
  const FlowDrafts& drafts;
  const std::vector<Instance>& instances;
  Diagnostics& out;
  std::map<std::pair<const FlowDraft*, bool>, BuiltGraph> built = {};  // by flow and direction
  size_t size = 0;                                                     // nodes and edges so far
};

// Findings go to the files of the flows; `draft.good` is false where an error was among them. Marks what is used.
[[nodiscard]] FlowGraphs build_graphs(FlowDraft& draft, GraphWorkshop& around);

}  // namespace lunar
