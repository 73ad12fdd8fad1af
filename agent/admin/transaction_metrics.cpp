#include "agent/admin/transaction_metrics.h"

#include <algorithm>
#include <charconv>

#include "agent/state/access_log_line.h"

namespace lunar::admin {
namespace {

const std::string& other_labels() {
  static const std::string labels = [] {
    std::string text;
    for (const char* name : {"http_method", "host", "status_code", "consumer_tag", "comm", "unit", "container"}) {
      append_label(text, name, "other");
    }
    return text;
  }();
  return labels;
}

}  // namespace

void TransactionMetrics::Durations::add(uint64_t from_ns, uint64_t to_ns) {
  const double ms = to_ns > from_ns ? static_cast<double>(to_ns - from_ns) / 1e6 : 0;
  ++counts[static_cast<size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), ms) - kBounds.begin())];
  ++total;
  sum_ms += ms;
}

TransactionMetrics::Series& TransactionMetrics::series_of(const TransactionRecord& record, const Caller& caller) {
  texts_.clear();
  for (auto which : {TransactionText::method, TransactionText::host, TransactionText::consumer_tag}) {
    texts_ += record.get(which);
    texts_ += '\0';
  }
  Recent& recent = recent_[(std::hash<std::string>{}(texts_) + record.status) % kRecent];
  const bool same = recent.series != nullptr && recent.status == record.status && recent.texts == texts_ &&
                    recent.address == record.destination.address && recent.caller_labels == caller.metric_labels;
  if (!same) {
    recent = {texts_, caller.metric_labels, record.destination.address, record.status, nullptr};
    recent.series = &series_by_labels(record, caller);
  }
  return *recent.series;
}

TransactionMetrics::Series& TransactionMetrics::series_by_labels(const TransactionRecord& record,
                                                                 const Caller& caller) {
  labels_.clear();
  append_label(labels_, "http_method", record.get(TransactionText::method));
  append_label(labels_, "host", host_of(record));
  append_label(labels_, "status_code", std::to_string(record.status));
  const std::string_view tag = record.get(TransactionText::consumer_tag);
  append_label(labels_, "consumer_tag", tag.empty() ? std::string_view(caller.tag()) : tag);
  labels_ += ',';
  labels_ += caller.metric_labels;
  if (const auto known = series_.find(labels_); known != series_.end()) return known->second;
  return series_[series_.size() < kSeriesLimit ? labels_ : other_labels()];
}

void TransactionMetrics::add(const TransactionRecord& record, const Caller& caller) {
  if (record.opaque != OpaqueReason::none) return;
  Series& series = series_of(record, caller);
  ++series.calls;
  series.bytes += record.bytes_in + record.bytes_out;
  series.total.add(record.started_ns, record.ended_ns);
  if (record.provider_started_ns != 0) series.provider.add(record.provider_started_ns, record.provider_ended_ns);
}

void TransactionMetrics::write_durations(MetricText& text, Durations Series::* which) const {
  std::string labels;
  for (const auto& [common, series] : series_) {
    const Durations& durations = series.*which;
    if (durations.total == 0) continue;
    uint64_t up_to = 0;
    for (size_t i = 0; i <= kBounds.size(); ++i) {
      up_to += durations.counts[i];
      labels = common;
      append_label(labels, "le", i < kBounds.size() ? std::to_string(static_cast<int64_t>(kBounds[i])) : "+Inf");
      text.sample_with(static_cast<double>(up_to), labels, "_bucket");
    }
    text.sample_with(durations.sum_ms, common, "_sum");
    text.sample_with(static_cast<double>(durations.total), common, "_count");
  }
}

void TransactionMetrics::write(MetricText& text) const {
  text.family("api_call_count_total", MetricKind::counter, "Attempts that ended, early responses included.");
  for (const auto& [labels, series] : series_) text.sample_with(static_cast<double>(series.calls), labels);
  text.family("api_call_size_bytes", MetricKind::gauge, "Average body bytes of an attempt, both directions.");
  for (const auto& [labels, series] : series_) {
    text.sample_with(static_cast<double>(series.bytes) / static_cast<double>(series.calls), labels);
  }
  text.family("lunar_transaction_duration_milliseconds", MetricKind::histogram,
              "From the first byte of a request to the last byte of its response.");
  write_durations(text, &Series::total);
  text.family("lunar_provider_transaction_duration_milliseconds", MetricKind::histogram,
              "From the first byte sent to the provider to the last byte received.");
  write_durations(text, &Series::provider);
}

}  // namespace lunar::admin
