#include "agent/state/processor_metrics.h"

#include <algorithm>

#include "agent/state/metric_labels.h"

namespace lunar {
namespace {

struct MeterName {
  emission::Meter meter;
  const char* name;
  const char* help;
};

constexpr MeterName names[] = {
    {emission::Meter::limiter_below, "lunar_limiter_processor_below_count", "Requests that a Limiter found below."},
    {emission::Meter::limiter_above, "lunar_limiter_processor_above_count", "Requests that a Limiter found above."},
    {emission::Meter::generated, "lunar_generated_response_count", "Responses made by GenerateResponse."},
    {emission::Meter::filter_hit, "lunar_filter_processor_hit_count", "Hits of a Filter."},
    {emission::Meter::filter_miss, "lunar_filter_processor_miss_count", "Misses of a Filter."},
    {emission::Meter::retry, "lunar_retry_processor_retry_count", "Replays that a Retry asked for."},
    {emission::Meter::retry_failed, "lunar_retry_processor_failed_retry_count", "Replays that could not be made."},
    {emission::Meter::llm_tokens, "lunar_llm_tokens_count", "Tokens that CountLLMTokens counted."},
    {emission::Meter::har_bytes, "lunar_har_collector_processor_aggregated_har_dump_size_bytes",
     "Bytes of HAR lines of a HARCollector."},
    {emission::Meter::cache_hit, "lunar_read_cache_processor_cache_hit", "Hits of a ReadCache."},
    {emission::Meter::cache_miss, "lunar_read_cache_processor_cache_miss", "Misses of a ReadCache."},
    {emission::Meter::cache_bytes_served, "lunar_read_cache_processor_cache_size_served_bytes",
     "Body bytes that a ReadCache served."},
    {emission::Meter::cache_bytes_written, "lunar_write_cache_processor_cache_size_written_bytes",
     "Body bytes that a WriteCache stored."},
    {emission::Meter::cache_entries_written, "lunar_write_cache_processor_cache_entries_written",
     "Responses that a WriteCache stored."},
};

constexpr double shortest_bound_ms = 10;

std::vector<double> bounds_of(std::chrono::nanoseconds ttl) {
  const double whole = std::chrono::duration<double, std::milli>(ttl).count();
  std::vector<double> out{shortest_bound_ms, whole / 4, whole / 2, whole * 3 / 4, whole};
  std::ranges::sort(out);
  const auto repeated = std::ranges::unique(out);
  out.erase(repeated.begin(), repeated.end());
  return out;
}

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

void add_line(LabelSet& labels, int64_t priority, std::string_view group) {
  labels.add("priority", std::to_string(priority));
  labels.add("group", group);
}

}  // namespace

void ProcessorMetrics::add(const FlowRecord& record) {
  for (const Emission& emission : record.emissions)
    if (const auto* measured = std::get_if<emission::Measure>(&emission)) add(record, *measured);
  for (const QueueStay& stay : record.stays) add(record, stay);
}

void ProcessorMetrics::add(const FlowRecord& record, const emission::Measure& measured) {
  const Instance& instance = record.plan->instances[measured.instance];
  if (!instance.measured) return;
  LabelSet labels;
  add_labels(labels, instance.labels, record.facts.view(), &instance);
  if (measured.meter == emission::Meter::llm_tokens) {
    labels.add("model", measured.model);
    labels.add("model_type", measured.model_type);
    labels.add("encoding", measured.encoding);
  }
  counters_[static_cast<size_t>(measured.meter)].at(labels) += measured.amount;
}

void ProcessorMetrics::add(const FlowRecord& record, const QueueStay& stay) {
  const Instance& instance = record.plan->instances[stay.instance];
  if (!instance.measured) return;
  LabelSet labels;
  add_labels(labels, instance.labels, record.facts.view(), &instance);
  add_line(labels, stay.priority, stay.group);
  Stays& stays = stays_.at(labels);
  if (stays.bounds.empty()) stays.bounds = bounds_of(stay.ttl);
  stays.samples.add(milliseconds(stay.waited), stays.bounds);
  labels.add("ttl_expired", stay.expired ? "true" : "false");
  ++handled_.at(labels);
}

void ProcessorMetrics::write(MetricText& text, std::span<const LineNumber> lines) {
  for (const MeterName& one : names) {
    const CounterMap& counter = counters_[static_cast<size_t>(one.meter)];
    if (counter.empty()) continue;
    text.family(std::string(one.name) + "_total", MetricKind::counter, one.help);
    write_counters(text, counter);
  }
  write_queues(text, lines);
}

void ProcessorMetrics::write_queues(MetricText& text, std::span<const LineNumber> lines) {
  for (auto& [labels, waiting] : waiting_) waiting = 0;
  for (const LineNumber& line : lines) {
    if (!plan_) break;
    const auto same = [&](const Instance& one) { return one.flow == line.flow && one.key == line.key; };
    const auto instance = std::ranges::find_if(plan_->instances, same);
    if (instance == plan_->instances.end() || !instance->measured) continue;
    // A line has no call: of the labels chosen, those of the processor remain.
    LabelSet labels;
    for (const MetricLabel label : instance->labels) {
      const bool known = label == MetricLabel::flow_name || label == MetricLabel::processor_key;
      if (known) add_labels(labels, {&label, 1}, {}, &*instance);
    }
    add_line(labels, line.priority, line.group);
    waiting_.at(labels) += static_cast<double>(line.waiting);
  }
  if (!waiting_.empty()) {
    text.family("lunar_processor_queue_requests_in_queue", MetricKind::gauge, "Requests that wait in a Queue now.");
    write_counters(text, waiting_);
  }
  if (handled_.empty()) return;
  text.family("lunar_processor_queue_requests_handled_total", MetricKind::counter, "Requests that have left a Queue.");
  write_counters(text, handled_);
  text.family("lunar_processor_queue_requests_time_in_queue_milliseconds", MetricKind::histogram,
              "How long requests waited in a Queue.");
  for (const auto& [labels, stays] : stays_) write_histogram(text, labels, stays.samples, stays.bounds);
}

}  // namespace lunar
