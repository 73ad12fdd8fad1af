#include "agent/state/user_series.h"

#include <algorithm>
#include <array>

#include "agent/base/log.h"
#include "agent/state/metric_labels.h"

namespace lunar {
namespace {

using Kind = UserMetricDefinition::Kind;

// What the gateway's own series may be called: an operator's metric of that name would make the whole page unreadable
// for Prometheus.
constexpr std::array<std::string_view, 39> own_names{
    "lunar_transaction_duration_milliseconds",
    "lunar_provider_transaction_duration_milliseconds",
    "lunar_remaining_connections_in_pool",
    "lunar_limiter_processor_below_count_total",
    "lunar_limiter_processor_above_count_total",
    "lunar_processor_queue_requests_in_queue",
    "lunar_processor_queue_requests_handled_total",
    "lunar_processor_queue_requests_time_in_queue_milliseconds",
    "lunar_generated_response_count_total",
    "lunar_filter_processor_hit_count_total",
    "lunar_filter_processor_miss_count_total",
    "lunar_retry_processor_retry_count_total",
    "lunar_retry_processor_failed_retry_count_total",
    "lunar_llm_tokens_count_total",
    "lunar_har_collector_processor_aggregated_har_dump_size_bytes_total",
    "lunar_read_cache_processor_cache_hit_total",
    "lunar_read_cache_processor_cache_miss_total",
    "lunar_read_cache_processor_cache_size_served_bytes_total",
    "lunar_write_cache_processor_cache_size_written_bytes_total",
    "lunar_write_cache_processor_cache_entries_written_total",
    "lunar_resources_quota_resource_quota_limit",
    "lunar_resources_quota_resource_quota_used",
    "lunar_failsafe_state",
    "lunar_pending_accepts",
    "lunar_config_skipped_files",
    "lunar_failsafe_transitions_total",
    "lunar_direct_connections_total",
    "lunar_opaque_connections_total",
    "lunar_gateway_errors_total",
    "lunar_processor_failures_total",
    "lunar_script_failures_total",
    "lunar_shadow_decisions_total",
    "lunar_body_view_skipped_total",
    "lunar_store_failures_total",
    "lunar_config_reloads_total",
    "lunar_access_log_lost_lines_total",
    "lunar_user_metric_skipped_total",
    "lunar_flow_records_dropped_total",
    "lunar_exporter_dropped_total",
};

std::string family_of(const UserMetricDefinition& definition) {
  std::string out = "lunar_" + definition.name;
  if (definition.kind == Kind::counter && !out.ends_with("_total")) out += "_total";
  return out;
}

bool is_own(const std::string& name) {
  const auto extends = [&](std::string_view own) {
    return name == own || (own.ends_with("_milliseconds") &&
                           (name == std::string(own) + "_bucket" || name == std::string(own) + "_sum" ||
                            name == std::string(own) + "_count"));
  };
  return std::ranges::any_of(own_names, extends);
}

MetricKind text_kind(Kind kind) {
  if (kind == Kind::histogram) return MetricKind::histogram;
  return kind == Kind::counter ? MetricKind::counter : MetricKind::gauge;
}

bool reserved_label(std::string_view name) { return name == "le" || name == "gateway_id"; }

}  // namespace

bool UserSeries::take_names(const std::string& family, Kind kind) {
  std::vector<std::string> names{family};
  if (kind == Kind::histogram)
    for (const char* suffix : {"_bucket", "_sum", "_count"}) names.push_back(family + suffix);
  const auto taken = [&](const std::string& name) { return is_own(name) || taken_names_.contains(name); };
  if (std::ranges::any_of(names, taken)) return false;
  taken_names_.insert(names.begin(), names.end());
  return true;
}

void UserSeries::set_plan(const Plan& plan) {
  taken_names_.clear();
  decltype(metrics_) next;
  for (const Instance& instance : plan.instances) {
    const auto* processor = dynamic_cast<const UserMetrics*>(instance.processor.get());
    if (processor == nullptr || next.contains(processor->definition().name)) continue;
    const UserMetricDefinition& definition = processor->definition();
    const std::string family = family_of(definition);
    if (!take_names(family, definition.kind)) {
      log::warn("metric {} of {}.{} is not exported, since another one has that name; rename it", family, instance.flow,
                instance.key);
      continue;
    }
    const auto old = metrics_.find(definition.name);
    const bool same = old != metrics_.end() && old->second.kind == definition.kind &&
                      (definition.kind != Kind::histogram || old->second.bounds == definition.buckets);
    Metric& metric = next[definition.name];
    if (same) metric = std::move(old->second);
    metric.kind = definition.kind;
    metric.family = family;
    metric.bounds = definition.buckets;
  }
  metrics_ = std::move(next);
}

void UserSeries::add(const FlowRecord& record) {
  for (const Emission& emission : record.emissions) {
    if (const auto* sample = std::get_if<emission::UserMetric>(&emission)) add(record, *sample);
    if (const auto* skipped = std::get_if<emission::UserMetricSkipped>(&emission))
      skip(record.plan->instances[skipped->instance]);
  }
}

void UserSeries::skip(const Instance& instance) {
  LabelSet labels;
  labels.add("flow_name", instance.flow);
  labels.add("processor_key", instance.key);
  ++skipped_.at(labels);
}

void UserSeries::add(const FlowRecord& record, const emission::UserMetric& sample) {
  const Instance& instance = record.plan->instances[sample.instance];
  const auto* processor = dynamic_cast<const UserMetrics*>(instance.processor.get());
  if (processor == nullptr) return;
  const auto known = metrics_.find(processor->definition().name);
  // An attempt of an older plan may sample what this one defines in another way.
  if (known == metrics_.end() || known->second.kind != processor->definition().kind) return;
  Metric& metric = known->second;
  // A counter that goes down would be read as a restart.
  if (metric.kind == Kind::counter && sample.value < 0) return skip(instance);
  LabelSet custom;
  for (const auto& [name, value] : sample.labels) custom.add(name, value);
  const bool full = metric.custom_sets.size() >= custom_sets_limit && !metric.custom_sets.contains(custom.text());
  if (!full) metric.custom_sets.insert(custom.text());
  LabelSet labels;
  add_labels(labels, processor->definition().labels, record.facts.view(), &instance);
  for (const auto& [name, value] : sample.labels)
    if (!reserved_label(name)) labels.add(name, full ? "other" : std::string_view(value));
  Value& value = metric.series.at(labels);
  if (metric.kind == Kind::histogram) {
    value.samples.add(sample.value, metric.bounds);
  } else {
    value.number = metric.kind == Kind::gauge ? sample.value : value.number + sample.value;
  }
}

void UserSeries::write(MetricText& text, const Metric& metric) {
  for (const auto& [labels, value] : metric.series) {
    if (metric.kind == Kind::histogram) {
      write_histogram(text, labels, value.samples, metric.bounds);
    } else {
      text.sample_with(value.number, labels);
    }
  }
}

void UserSeries::write(MetricText& text) const {
  for (const auto& [name, metric] : metrics_) {
    if (metric.series.empty()) continue;
    text.family(metric.family, text_kind(metric.kind), "Metric " + name + " of UserDefinedMetrics.");
    write(text, metric);
  }
  if (skipped_.empty()) return;
  text.family("lunar_user_metric_skipped_total", MetricKind::counter,
              "Samples of UserDefinedMetrics that were no number, or went down where they must not.");
  write_counters(text, skipped_);
}

}  // namespace lunar
