// The Prometheus text format, version 0.0.4, written into a string.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace lunar {

// Appends name="value" (after a comma if something stands there already). Values are cut at 128 bytes; what is no
// valid UTF-8 becomes U+FFFD.
void append_label(std::string& labels, std::string_view name, std::string_view value);

// As values and bounds are written: integral numbers without a fraction.
[[nodiscard]] std::string metric_number(double value);

enum class MetricKind : uint8_t { counter, gauge, histogram };

class MetricText {
 public:
  // `common` labels stand in every sample.
  MetricText(std::string& out, std::string common) : out_(out), common_(std::move(common)) {}

  // Begins a metric: its samples follow at once. Counters carry _total in their name.
  void family(std::string_view name, MetricKind kind, std::string_view help);
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  void sample(double value, Labels labels = {});
  // `labels` are written already, by append_label; `suffix` is _bucket, _sum or _count.
  void sample_with(double value, std::string_view labels, std::string_view suffix = {});

 private:
  std::string& out_;
  std::string common_;
  std::string name_;
};

}  // namespace lunar
