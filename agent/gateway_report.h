// The data path in figures, for the admin thread.
#pragma once

#include <vector>

#include "agent/admin/gateway_view.h"
#include "agent/gateway/gateway.h"

namespace lunar {

[[nodiscard]] admin::GatewayCounters counters_of(const gateway::Gateway& gateway);
// `draining`: heartbeats belong to the successor.
[[nodiscard]] std::vector<admin::WorkerView> workers_of(const gateway::Gateway& gateway, bool draining);

}  // namespace lunar
