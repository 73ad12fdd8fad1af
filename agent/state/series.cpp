#include "agent/state/series.h"

namespace lunar {

void Histogram::add(double sample, std::span<const double> bounds) {
  counts.resize(bounds.size() + 1);
  ++counts[static_cast<size_t>(std::ranges::lower_bound(bounds, sample) - bounds.begin())];
  ++total;
  sum += sample;
}

void write_counters(MetricText& text, const CounterMap& series) {
  for (const auto& [labels, value] : series) text.sample_with(value, labels);
}

void write_histogram(MetricText& text, std::string_view labels, const Histogram& histogram,
                     std::span<const double> bounds) {
  uint64_t up_to = 0;
  std::string with_bound;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    up_to += histogram.counts[i];
    with_bound = labels;
    append_label(with_bound, "le", i < bounds.size() ? metric_number(bounds[i]) : "+Inf");
    text.sample_with(static_cast<double>(up_to), with_bound, "_bucket");
  }
  text.sample_with(histogram.sum, labels, "_sum");
  text.sample_with(static_cast<double>(histogram.total), labels, "_count");
}

}  // namespace lunar
