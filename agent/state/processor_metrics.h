// What processors measure of themselves (gateway.md §9, rows with `P`): only where the configuration says
// `metrics.enabled`, by the labels chosen there.
#pragma once

#include <array>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/state/flow_record.h"
#include "agent/state/series.h"
#include "flowengine/quota/waiting_lines.h"

namespace lunar {

class ProcessorMetrics {
 public:
  void set_plan(std::shared_ptr<const Plan> plan) { plan_ = std::move(plan); }
  void add(const FlowRecord& record);
  void add(const FlowRecord& record, const emission::Measure& measured);
  // `lines`: who waits now.
  void write(MetricText& text, std::span<const LineNumber> lines);

 private:
  static constexpr size_t meters = static_cast<size_t>(emission::Meter::llm_tokens) + 1;
  struct Stays {
    std::vector<double> bounds;
    Histogram samples;
  };

  void add(const FlowRecord& record, const QueueStay& stay);
  void write_queues(MetricText& text, std::span<const LineNumber> lines);

  std::shared_ptr<const Plan> plan_;
  std::array<CounterMap, meters> counters_;
  CounterMap waiting_;  // an empty line stays, with 0
  CounterMap handled_;
  SeriesMap<Stays> stays_;
};

}  // namespace lunar
