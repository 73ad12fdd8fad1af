// The labels that a configuration may choose, of one attempt.
#pragma once

#include <span>

#include "agent/state/call_facts.h"
#include "agent/state/series.h"
#include "flowengine/plan/plan.h"

namespace lunar {

// `of`: the processor whose series it is; null where there is none.
void add_labels(LabelSet& labels, std::span<const MetricLabel> chosen, const CallView& call, const Instance* of);

}  // namespace lunar
