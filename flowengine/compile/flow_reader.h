// A flow file: its keys, its filter and its processors (flows.md §2). Connections are resolved later.
#pragma once

#include <vector>

#include "flowengine/compile/flow_draft.h"
#include "flowengine/processors/processor.h"

namespace lunar {

struct FlowFile {
  std::string_view path;
  const Value& document;
};

// Appends the instances that could be made. `draft.good` says whether there was no error.
[[nodiscard]] FlowDraft read_flow(const FlowFile& file, Surroundings& surroundings, std::vector<Instance>& instances,
                                  Diagnostics& out);

}  // namespace lunar
