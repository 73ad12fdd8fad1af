#include "agent/state/general_metrics.h"

#include <algorithm>
#include <utility>

#include "agent/state/metric_labels.h"
#include "flowengine/compile/metrics_spec.h"
#include "flowengine/expr/selector.h"

namespace lunar {
namespace {

constexpr size_t recent_limit = 20'000;

// In ms; a request of a model streams for minutes, one in the same rack takes less than a millisecond.
const std::vector<double> default_bounds{1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 120000};

// Without metrics.yaml: everything but the url, of which there is no end.
const std::vector<MetricLabel> default_labels{MetricLabel::http_method,  MetricLabel::host, MetricLabel::status_code,
                                              MetricLabel::consumer_tag, MetricLabel::comm, MetricLabel::unit,
                                              MetricLabel::container};

std::shared_ptr<const MetricsSpec> default_spec() { return std::make_shared<const MetricsSpec>(); }

const std::vector<MetricLabel>& labels_of(const MetricsSpec& spec) {
  return spec.everything ? default_labels : spec.labels;
}

std::vector<std::string> texts_of(const std::vector<UrlPattern>& patterns) {
  std::vector<std::string> out;
  for (const UrlPattern& pattern : patterns) out.push_back(pattern.text());
  return out;
}

std::string path_of(const UrlPattern& pattern) {
  std::string out;
  for (const PatternPiece& piece : pattern.path().pieces())
    out += piece.parameter ? "/{" + piece.text + "}" : "/" + piece.text;
  if (pattern.path().covers_further()) out += "/*";
  return out.empty() ? "/" : out;
}

}  // namespace

GeneralMetrics::GeneralMetrics()
    : spec_(default_spec()),
      durations_{
          {"transaction_duration", "From the first byte of a request to the last byte of its response.", &Series::total,
           default_bounds},
          {"provider_transaction_duration", "From the first byte sent to the provider to the last byte received.",
           &Series::provider, default_bounds}} {}

GeneralMetrics::~GeneralMetrics() = default;

void GeneralMetrics::set_spec(std::shared_ptr<const MetricsSpec> spec) {
  if (spec == nullptr) spec = default_spec();
  const bool same_labels =
      labels_of(*spec) == labels_of(*spec_) && texts_of(spec->labeled_endpoints) == texts_of(spec_->labeled_endpoints);
  if (!same_labels) {
    series_.clear();
    recent_.clear();
  }
  for (Duration& duration : durations_) {
    const auto chosen = spec->general.find(duration.name);
    const bool own = chosen != spec->general.end() && !chosen->second.buckets.empty();
    std::vector<double> bounds = own ? chosen->second.buckets : default_bounds;
    if (bounds == duration.bounds) continue;
    duration.bounds = std::move(bounds);
    for (auto& [labels, series] : series_) series.*duration.samples = {};
  }
  spec_ = std::move(spec);
  endpoint_texts_.clear();
  for (const UrlPattern& pattern : spec_->labeled_endpoints) endpoint_texts_.push_back(path_of(pattern));
  endpoint_texts_.emplace_back();  // of what matches none
  const bool labeled = !spec_->labeled_endpoints.empty();
  endpoints_ = labeled ? std::make_unique<const Selector>(spec_->labeled_endpoints) : nullptr;
}

const std::string& GeneralMetrics::endpoint_of(const CallView& call) {
  found_.clear();
  endpoints_->find(call.host, call.port, call.path, found_);
  const auto less_specific = [&](uint32_t one, uint32_t other) {
    return endpoints_->patterns()[one].compare_specificity(endpoints_->patterns()[other]) < 0;
  };
  const auto best = std::ranges::max_element(found_, less_specific);
  return best == found_.end() ? endpoint_texts_.back() : endpoint_texts_[*best];
}

GeneralMetrics::Series& GeneralMetrics::series_of(const CallView& call) {
  const std::string_view endpoint = endpoints_ ? std::string_view(endpoint_of(call)) : std::string_view{};
  const auto& chosen = labels_of(*spec_);
  key_.clear();
  const bool with_url = std::ranges::find(chosen, MetricLabel::url) != chosen.end();
  for (const std::string_view part :
       {call.method, call.host, call.consumer_tag, call.comm, call.unit, call.container, endpoint}) {
    key_ += part;
    key_ += '\0';
  }
  key_ += std::to_string(call.status);
  if (with_url) key_ += call.full_url();
  if (const auto known = recent_.find(key_); known != recent_.end()) return *known->second;
  LabelSet labels;
  add_labels(labels, chosen, call, nullptr);
  if (endpoints_) labels.add("path", endpoint);
  Series& series = series_.at(labels);
  if (recent_.size() >= recent_limit) recent_.clear();
  recent_.emplace(key_, &series);
  return series;
}

void GeneralMetrics::add(const CallView& call) {
  Series& series = series_of(call);
  ++series.calls;
  series.bytes += call.bytes_in + call.bytes_out;
  series.total.add(call.total_ms, durations_[0].bounds);
  if (call.provider_ms) series.provider.add(*call.provider_ms, durations_[1].bounds);
}

bool GeneralMetrics::selected(const char* name) const { return spec_->everything || spec_->general.contains(name); }

std::string GeneralMetrics::help_of(const char* name, const char* otherwise) const {
  const auto chosen = spec_->general.find(name);
  return chosen == spec_->general.end() || chosen->second.description.empty() ? otherwise : chosen->second.description;
}

void GeneralMetrics::write_duration(MetricText& text, const Duration& duration) const {
  if (!selected(duration.name)) return;
  text.family("lunar_" + std::string(duration.name) + "_milliseconds", MetricKind::histogram,
              help_of(duration.name, duration.help));
  for (const auto& [labels, series] : series_) {
    const Histogram& samples = series.*duration.samples;
    if (samples.total > 0) write_histogram(text, labels, samples, duration.bounds);
  }
}

void GeneralMetrics::write(MetricText& text) const {
  if (selected("api_call_count")) {
    text.family("api_call_count_total", MetricKind::counter,
                help_of("api_call_count", "Attempts that ended, early responses included."));
    for (const auto& [labels, series] : series_) text.sample_with(static_cast<double>(series.calls), labels);
  }
  if (selected("api_call_size")) {
    text.family("api_call_size_bytes", MetricKind::gauge,
                help_of("api_call_size", "Average body bytes of an attempt, both directions."));
    for (const auto& [labels, series] : series_)
      text.sample_with(static_cast<double>(series.bytes) / static_cast<double>(series.calls), labels);
  }
  for (const Duration& duration : durations_) write_duration(text, duration);
}

}  // namespace lunar
