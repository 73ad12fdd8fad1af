// The metric that a UserDefinedMetrics processor samples: its definition is for the exporter, too.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "flowengine/processors/processor.h"

namespace lunar {

struct UserMetricDefinition {
  enum class Kind : uint8_t { counter, up_down_counter, gauge, histogram };
  std::string name;  // without the prefix lunar_
  Kind kind = Kind::counter;
  std::vector<MetricLabel> labels;
  std::vector<std::pair<std::string, Expression>> custom_labels;
  std::vector<double> buckets{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
};

class UserMetrics final : public Processor {
 public:
  struct Source {
    bool size = false;               // body bytes
    std::optional<Expression> path;  // neither: each call counts 1
  };
  UserMetrics(UserMetricDefinition definition, Source source);

  [[nodiscard]] Outcome run(Context& context) const override;
  void observed(Context& context, bool complete) const override;
  [[nodiscard]] BodyUse body_use(Phase phase) const override;
  [[nodiscard]] const UserMetricDefinition& definition() const { return definition_; }

 private:
  [[nodiscard]] bool needs_response_body() const;
  void sample(Context& context) const;

  UserMetricDefinition definition_;
  Source source_;
};

}  // namespace lunar
