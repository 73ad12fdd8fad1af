#include "agent/state/flow_reports.h"

#include <string>
#include <utility>

#include "agent/base/log.h"

namespace lunar {

void FlowReports::set_har_file(std::unique_ptr<HarFile> file) {
  if (har_) {
    [[maybe_unused]] const auto written = har_->flush();  // the new one tells if the disk is full
    har_dropped_ += har_->dropped();
  }
  har_ = std::move(file);
}

namespace {

uint64_t dropped_by(const std::unique_ptr<TraceSender>& sender) { return sender ? sender->counts().dropped : 0; }
uint64_t lost_with(const std::unique_ptr<TraceSender>& sender) {
  return dropped_by(sender) + (sender ? sender->unsent() : 0);
}

}  // namespace

void FlowReports::set_trace_sender(std::unique_ptr<TraceSender> sender) {
  spans_dropped_ += lost_with(traces_);
  traces_ = std::move(sender);
}

void FlowReports::set_own_trace_sender(std::unique_ptr<TraceSender> sender) {
  own_spans_dropped_ += lost_with(own_traces_);
  own_traces_ = std::move(sender);
}

void FlowReports::observe(const CallView& call) {
  if (own_traces_) own_traces_->add(attempt_spans_.of(call));
}

void FlowReports::drain(SteadyTime now) {
  queue_.take(batch_);
  metrics_.add(batch_.tallies);
  for (FlowRecord& record : batch_.records) take(record, now);
  batch_.records.clear();
  batch_.tallies.clear();
}

namespace {

// What an operator should know of an emission; empty: nothing.
std::string news_of(const Plan& plan, const Emission& emission) {
  auto place = [&plan](uint32_t instance) {
    return "flow " + plan.instances[instance].flow + ", processor " + plan.instances[instance].key;
  };
  if (const auto* failed = std::get_if<emission::ProcessorFailed>(&emission))
    return place(failed->instance) + " failed (" + failed->reason + "): " + failed->text;
  if (const auto* failed = std::get_if<emission::ScriptFailed>(&emission))
    return place(failed->instance) + ": the script answered `failure`: " + failed->text;
  if (const auto* shadowed = std::get_if<emission::Shadowed>(&emission))
    return "flow " + plan.flows[shadowed->flow].name + " is in shadow mode and " + shadowed->decision;
  return "";
}

}  // namespace

void FlowReports::tell(const FlowRecord& record, const Emission& emission, SteadyTime now) {
  const std::string news = news_of(*record.plan, emission);
  if (news.empty()) return;
  if (now < next_line_) {
    ++untold_;
    return;
  }
  next_line_ = now + std::chrono::seconds(1);
  const uint64_t untold = std::exchange(untold_, 0);
  log::warn("{}; request {}{}", news, record.facts.request_id,
            untold == 0 ? "" : " (" + std::to_string(untold) + " more lines of this kind were left out)");
}

void FlowReports::take(FlowRecord& record, SteadyTime now) {
  metrics_.add(record);
  for (Emission& emission : record.emissions) {
    tell(record, emission, now);
    if (const auto* capture = std::get_if<emission::CaptureHar>(&emission)) write_entry(record, *capture, now);
    if (auto* span = std::get_if<emission::Span>(&emission)) send(std::move(*span));
  }
}

void FlowReports::write_entry(const FlowRecord& record, const emission::CaptureHar& capture, SteadyTime now) {
  if (har_) {
    metrics_.add_har_bytes(record, capture.instance, har_->add(*capture.entry, record.facts, now));
  } else {
    ++har_dropped_;
  }
}

void FlowReports::send(emission::Span span) {
  if (traces_) {
    traces_->add(std::move(span));
  } else {
    ++spans_dropped_;
  }
}

void FlowReports::write(MetricText& text, const FlowGauges& now) {
  metrics_.write(text, now);
  const FlowRecordQueue::Drops drops = queue_.drops();
  text.family("lunar_flow_records_dropped_total", MetricKind::counter,
              "What attempts left for metrics and exporters and could not be kept, by kind.");
  text.sample(static_cast<double>(drops.records), {{"kind", "record"}});
  text.sample(static_cast<double>(drops.har_entries), {{"kind", "har"}});
  text.sample(static_cast<double>(drops.spans), {{"kind", "span"}});
  text.family("lunar_exporter_dropped_total", MetricKind::counter, "Entries that an exporter could not hand over.");
  text.sample(static_cast<double>(har_dropped_ + (har_ ? har_->dropped() : 0)), {{"exporter", "file"}});
  text.sample(static_cast<double>(spans_dropped_ + dropped_by(traces_)), {{"exporter", "trace"}});
  text.sample(static_cast<double>(own_spans_dropped_ + dropped_by(own_traces_)), {{"exporter", "own_trace"}});
}

}  // namespace lunar
