// A strict reader of the Prometheus text format, which fails the test on what Prometheus would refuse.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/base/metric_text.h"

namespace lunar {

struct MetricsPage {
  struct Sample {
    std::string name, labels;  // labels as they are written
    double value = 0;
  };
  std::string text;
  std::vector<Sample> samples;

  // Sum of the samples of a name whose labels hold all of `parts`; the test fails where there is none.
  [[nodiscard]] double value(const std::string& name, const std::vector<std::string>& parts = {}) const;
  [[nodiscard]] size_t count(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return count(name) > 0; }
};

// The page that `write` makes, every sample with gateway_id="gateway-x".
[[nodiscard]] MetricsPage metrics_page(const std::function<void(MetricText&)>& write);

// What `promtool check metrics` says of it, without what gateway.md prescribes: milliseconds. The test fails without
// promtool (package prometheus).
[[nodiscard]] std::string promtool_findings(const std::string& text);

}  // namespace lunar
