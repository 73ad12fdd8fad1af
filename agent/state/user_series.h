// The series of UserDefinedMetrics (flows.md §7.11).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/state/flow_record.h"
#include "agent/state/series.h"
#include "flowengine/processors/user_metrics.h"

namespace lunar {

class UserSeries {
 public:
  static constexpr size_t custom_sets_limit = 1000;  // of custom labels of one metric; what comes later is `other`

  // Metrics of unchanged name, kind and bounds keep their values, others begin anew. The bounds of a histogram are
  // those of the first processor that has its name.
  void set_plan(const Plan& plan);
  void add(const FlowRecord& record);
  void write(MetricText& text) const;

 private:
  using Kind = UserMetricDefinition::Kind;
  struct Value {
    double number = 0;
    Histogram samples;
  };
  struct Metric {
    Kind kind = Kind::counter;
    std::string family;
    std::vector<double> bounds;
    SeriesMap<Value> series;
    std::set<std::string> custom_sets;
  };

  [[nodiscard]] bool take_names(const std::string& family, Kind kind);
  void add(const FlowRecord& record, const emission::UserMetric& sample);
  static void write(MetricText& text, const Metric& metric);
  void skip(const Instance& instance);

  std::map<std::string, Metric, std::less<>> metrics_;  // by the name in the configuration
  std::set<std::string> taken_names_;                   // of the page
  CounterMap skipped_;
};

}  // namespace lunar
