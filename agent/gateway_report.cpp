#include "agent/gateway_report.h"

#include <algorithm>
#include <utility>

namespace lunar {

using namespace std::chrono_literals;

admin::GatewayCounters counters_of(const gateway::Gateway& gateway) {
  admin::GatewayCounters sum{.max_connections = gateway.shared().start.config.max_connections};
  for (const auto& worker : gateway.workers()) {
    const gateway::WorkerStatistics& one = std::as_const(*worker).statistics();
    sum.open_connections += one.open.load(std::memory_order_relaxed);
    sum.accepted += one.accepted.load(std::memory_order_relaxed);
    sum.requests += one.requests.load(std::memory_order_relaxed);
    for (size_t i = 0; i < sum.opaque.size(); ++i) sum.opaque[i] += one.opaque[i].load(std::memory_order_relaxed);
    for (size_t i = 0; i < sum.errors.size(); ++i) sum.errors[i] += one.errors[i].load(std::memory_order_relaxed);
  }
  if (const auto* tls = gateway.shared().tls) sum.tls = tls->counts();
  return sum;
}

std::vector<admin::WorkerView> workers_of(const gateway::Gateway& gateway, bool draining) {
  const gateway::Shared& shared = gateway.shared();
  const MonotonicTime now = monotonic_now();
  std::vector<admin::WorkerView> views;
  for (const auto& worker : gateway.workers()) {
    admin::WorkerView view{.alive = true};  // without a hook nobody counts heartbeats; the supervisor probes
    const auto index = static_cast<uint32_t>(views.size());
    if (shared.heartbeats && !draining) {
      const Nanoseconds age = now - shared.heartbeats->last_beat(index);
      view.alive = age < shared.start.config.failsafe.heartbeat_deadline;
      view.busy = shared.heartbeats->busy(index);
      view.heartbeat_age_ms = static_cast<uint64_t>(std::max<int64_t>(age / 1ms, 0));
    }
    view.open_connections = std::as_const(*worker).statistics().open.load(std::memory_order_relaxed);
    views.push_back(view);
  }
  return views;
}

}  // namespace lunar
