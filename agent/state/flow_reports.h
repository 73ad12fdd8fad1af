// Where the records of flows go: metrics, HAR file, traces. Drained by the admin thread.
#pragma once

#include <memory>

#include "agent/state/attempt_spans.h"
#include "agent/state/flow_metrics.h"
#include "agent/state/flow_record.h"
#include "agent/state/har_file.h"
#include "agent/state/trace_sender.h"

namespace lunar {

class FlowReports {
 public:
  // The queue outlives it. `seed` is what the ids of the gateway's own spans are made of.
  explicit FlowReports(FlowRecordQueue& queue, uint64_t seed = 0) : queue_(queue), attempt_spans_(seed) {}

  // Null: there is none (any more), its emissions are dropped and counted.
  void set_har_file(std::unique_ptr<HarFile> file);
  void set_trace_sender(std::unique_ptr<TraceSender> sender);
  // Of the gateway's own spans: one for each attempt that is observed. Null: they are not made.
  void set_own_trace_sender(std::unique_ptr<TraceSender> sender);
  [[nodiscard]] HarFile* har_file() { return har_.get(); }
  [[nodiscard]] TraceSender* trace_sender() const { return traces_.get(); }
  [[nodiscard]] TraceSender* own_trace_sender() const { return own_traces_.get(); }
  [[nodiscard]] FlowMetrics& metrics() { return metrics_; }
  [[nodiscard]] const FlowMetrics& metrics() const { return metrics_; }

  void drain(SteadyTime now);
  void observe(const CallView& call);
  // Metrics of flows, and how much was dropped on the way.
  void write(MetricText& text, const FlowGauges& now);

 private:
  void take(FlowRecord& record, SteadyTime now);
  void tell(const FlowRecord& record, const Emission& emission, SteadyTime now);
  void write_entry(const FlowRecord& record, const emission::CaptureHar& capture, SteadyTime now);
  void send(emission::Span span);

  FlowRecordQueue& queue_;
  FlowRecordQueue::Batch batch_;
  FlowMetrics metrics_;
  std::unique_ptr<HarFile> har_;
  std::unique_ptr<TraceSender> traces_, own_traces_;
  AttemptSpans attempt_spans_;
  SteadyTime next_line_{};  // of the log: one a second, so that a broken flow does not fill the disk
  uint64_t untold_ = 0;
  uint64_t har_dropped_ = 0;  // without a file, or by one that was replaced
  uint64_t spans_dropped_ = 0, own_spans_dropped_ = 0;
};

}  // namespace lunar
