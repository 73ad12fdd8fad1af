// metrics.yaml (gateway.md §9): which series are exported.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/diagnostic.h"
#include "flowengine/expr/url_pattern.h"
#include "flowengine/plan/plan.h"

namespace lunar {

struct MetricSelection {
  std::string description;
  std::vector<double> buckets;  // of the durations; empty: the default ones
};

struct MetricsSpec {
  bool everything = true;  // no file: all of the table
  std::vector<MetricLabel> labels;
  std::map<std::string, MetricSelection, std::less<>> general, system;
  std::vector<UrlPattern> labeled_endpoints;
};

inline constexpr std::string_view metrics_file_name = "metrics.yaml";

[[nodiscard]] MetricsSpec read_metrics_spec(std::string_view text, Diagnostics& out);

}  // namespace lunar
