// Metrics of flows and of their processors as such (gateway.md §9, `system_metrics`).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "agent/state/flow_record.h"
#include "agent/state/series.h"
#include "flowengine/compile/metrics_spec.h"

namespace lunar {

class SystemMetrics {
 public:
  // What no longer is part of the plan goes, except for counters.
  void set_plan(std::shared_ptr<const Plan> plan);
  void add(const FlowTallies& tallies);
  void write(MetricText& text, const MetricsSpec& spec) const;
  [[nodiscard]] uint64_t runs_of(std::string_view flow) const;  // request passes since the flow is loaded

 private:
  struct Time {
    uint64_t runs = 0;
    std::chrono::nanoseconds spent{};
    [[nodiscard]] double average_ms() const;
  };
  using ProcessorKey = std::pair<std::string, std::string>;  // flow and key

  void add_times(const FlowTally& tally);
  void write_counts(MetricText& text, const MetricsSpec& spec) const;
  void write_times(MetricText& text, const MetricsSpec& spec) const;

  std::shared_ptr<const Plan> plan_;
  CounterMap invocations_, requests_;
  std::map<std::string, Time, std::less<>> flows_;
  std::map<ProcessorKey, Time> processors_;
};

}  // namespace lunar
