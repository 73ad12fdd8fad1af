// The series of a metric by their labels, in bounded memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/metric_text.h"

namespace lunar {

// Labels of one series, written as they are built. Of two of one name the first one counts.
class LabelSet {
 public:
  void add(std::string_view name, std::string_view value) {
    if (has(name)) return;
    names_.emplace_back(name);
    append_label(text_, name, value);
  }
  [[nodiscard]] bool has(std::string_view name) const { return std::ranges::find(names_, name) != names_.end(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string other() const {
    std::string out;
    for (const std::string& name : names_) append_label(out, name, "other");
    return out;
  }

 private:
  std::string text_;
  std::vector<std::string> names_;
};

template <class Value>
class SeriesMap {
 public:
  static constexpr size_t limit = 10'000;  // what comes later counts as `other`

  // Stays where it is until it is erased.
  Value& at(const LabelSet& labels) {
    if (const auto known = series_.find(labels.text()); known != series_.end()) return known->second;
    return series_[series_.size() < limit ? labels.text() : labels.other()];
  }
  [[nodiscard]] bool empty() const { return series_.empty(); }
  void clear() { series_.clear(); }
  [[nodiscard]] auto begin() { return series_.begin(); }
  [[nodiscard]] auto end() { return series_.end(); }
  [[nodiscard]] auto begin() const { return series_.begin(); }
  [[nodiscard]] auto end() const { return series_.end(); }

 private:
  std::map<std::string, Value, std::less<>> series_;  // by the written labels
};

using CounterMap = SeriesMap<double>;

// Samples in buckets; the bounds are those of its metric.
struct Histogram {
  std::vector<uint64_t> counts;  // one more than there are bounds; empty: no sample yet
  uint64_t total = 0;
  double sum = 0;

  void add(double sample, std::span<const double> bounds);
};

void write_counters(MetricText& text, const CounterMap& series);
void write_histogram(MetricText& text, std::string_view labels, const Histogram& histogram,
                     std::span<const double> bounds);

}  // namespace lunar
