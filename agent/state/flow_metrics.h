// The metrics of flows (gateway.md §9): takes what attempts left, writes the page's part that concerns them. Used by
// the admin thread alone. What every attempt counts, with or without flows, is in general_metrics.h.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/state/flow_record.h"
#include "agent/state/processor_metrics.h"
#include "agent/state/system_metrics.h"
#include "agent/state/user_series.h"
#include "flowengine/compile/metrics_spec.h"
#include "flowengine/quota/ledger.h"
#include "flowengine/quota/waiting_lines.h"

namespace lunar {

// What is so now, asked for when the page is written.
struct FlowGauges {
  std::span<const NodeView> quotas;
  std::span<const LineNumber> lines;
};

class FlowMetrics {
 public:
  // At start and after a reload. Values of series that are still defined stay. A null spec: no metrics.yaml.
  void set_plan(std::shared_ptr<const Plan> plan, std::shared_ptr<const MetricsSpec> spec);

  void add(const FlowTallies& tallies) { system_.add(tallies); }
  void add(const FlowRecord& record);
  void add_har_bytes(const FlowRecord& record, uint32_t instance, size_t bytes);
  void count_reload(bool accepted) { ++reloads_[accepted ? "ok" : "refused"]; }
  void count_store_failure(const std::string& policy) { ++store_failures_[policy]; }
  void set_skipped_files(size_t files) { skipped_files_ = files; }

  void write(MetricText& text, const FlowGauges& now);
  [[nodiscard]] uint64_t runs_of(std::string_view flow) const { return system_.runs_of(flow); }

 private:
  void count(const Plan& plan, const Emission& emission);
  void write_counts(MetricText& text) const;
  void write_quotas(MetricText& text, std::span<const NodeView> quotas) const;

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<const MetricsSpec> spec_ = std::make_shared<const MetricsSpec>();
  SystemMetrics system_;
  ProcessorMetrics processors_;
  UserSeries user_;
  CounterMap failures_, script_failures_, shadow_decisions_, views_skipped_;
  std::map<std::string, uint64_t> reloads_, store_failures_;
  size_t skipped_files_ = 0;
};

}  // namespace lunar
