// The metrics of every attempt (gateway.md §9, `general_metrics`): calls, sizes, durations, by the labels that
// metrics.yaml chooses. The one owner of these series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/metric_text.h"
#include "agent/state/call_facts.h"
#include "agent/state/series.h"

namespace lunar {

struct MetricsSpec;
class Selector;

class GeneralMetrics {
 public:
  GeneralMetrics();
  ~GeneralMetrics();
  GeneralMetrics(const GeneralMetrics&) = delete;
  GeneralMetrics& operator=(const GeneralMetrics&) = delete;

  // At start and at reload. Values stay unless their labels or bounds are others now. Null: the default.
  void set_spec(std::shared_ptr<const MetricsSpec> spec);

  void add(const CallView& call);
  void write(MetricText& text) const;

 private:
  struct Series {
    uint64_t calls = 0;
    uint64_t bytes = 0;
    Histogram total;
    Histogram provider;
  };
  struct Duration {
    const char* name;  // in metrics.yaml
    const char* help;
    Histogram Series::* samples;
    std::vector<double> bounds;
  };

  [[nodiscard]] Series& series_of(const CallView& call);
  [[nodiscard]] const std::string& endpoint_of(const CallView& call);
  void write_duration(MetricText& text, const Duration& duration) const;
  [[nodiscard]] bool selected(const char* name) const;
  [[nodiscard]] std::string help_of(const char* name, const char* otherwise) const;

  std::shared_ptr<const MetricsSpec> spec_;
  std::unique_ptr<const Selector> endpoints_;  // null: there is no label `path`
  std::vector<std::string> endpoint_texts_;
  Duration durations_[2];
  SeriesMap<Series> series_;
  // Most attempts repeat what an earlier one said: their series is found without writing labels.
  std::unordered_map<std::string, Series*> recent_;
  std::string key_;  // reused
  std::vector<uint32_t> found_;
};

}  // namespace lunar
