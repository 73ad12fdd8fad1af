// What cannot run in a graph that is complete: steps that nothing reaches, and those that come back to themselves
// (flows.md §2).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flowengine/compile/flow_draft.h"
#include "flowengine/processors/processor.h"

namespace lunar {

// Nodes of a flow's own: by the name in its connections, with the place of the first one.
using NamedNodes = std::map<std::string, std::pair<uint32_t, Position>>;

class FlowCheck {
 public:
  FlowCheck(FlowDraft& draft, const std::vector<Instance>& instances, Diagnostics& out)
      : draft_(draft), instances_(instances), reader_(draft.file, out) {}

  void check(const NamedNodes& named, const Graph& graph, bool response);
  void warn_silent_answers(const NamedNodes& requests, const Graph& request, const Graph& response);

 private:
  void fail(Position at, std::string_view id, std::string text);

  FlowDraft& draft_;
  const std::vector<Instance>& instances_;
  Reader reader_;
};

}  // namespace lunar
