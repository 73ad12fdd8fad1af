// The whole configuration, compiled: immutable, shared by all threads, swapped as one. A transaction keeps the plan
// with which it began.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "flowengine/expr/selector.h"
#include "flowengine/plan/filter.h"
#include "flowengine/plan/graph.h"
#include "flowengine/quota/definition.h"

namespace lunar {

class Processor;
struct ProcessorType;

// What is needed of bodies (flows.md §5.3). Held: kept back until complete. Copied: observed while it goes by.
struct BodyUse {
  bool hold_request = false;
  bool keep_request = false;  // for a replay
  bool hold_response = false;
  bool copy_response = false;
  bool copy_request = false;

  BodyUse& operator|=(const BodyUse& other);
};

// Labels that a declaration asks for with `metrics`.
enum class MetricLabel : uint8_t {
  flow_name,
  processor_key,
  http_method,
  url,
  status_code,
  consumer_tag,
  host,
  comm,
  unit,
  container,
};
[[nodiscard]] std::optional<MetricLabel> metric_label(std::string_view name);
[[nodiscard]] std::string_view metric_label_name(MetricLabel label);

// One declared processor.
struct Instance {
  std::string flow;  // that declares it
  std::string key;
  const ProcessorType* type = nullptr;
  std::shared_ptr<const Processor> processor;
  bool measured = false;  // metrics.enabled
  std::vector<MetricLabel> labels;
};

struct Flow {
  std::string name;
  std::string file;
  Filter filter;
  std::vector<UrlPattern> patterns;
  Graph request, response;
  BodyUse body;
  bool blocks_on_error = false;
  bool shadow = false;
};

// What the plan knows of a quota node beside its definition.
struct QuotaRule {
  Filter filter;
  std::vector<UrlPattern> patterns;
  std::optional<Expression> counter;  // of a custom counter
  bool automatic = true;              // no processor references it or one of its descendants
};

// The pattern of somebody: which flow or quota node, and how specific it is among all.
struct PatternOwner {
  bool quota = false;
  uint32_t index = 0;     // in Plan::flows or Plan::quota_rules
  uint32_t position = 0;  // among its own patterns
  uint32_t rank = 0;      // equal for equally specific ones, higher is more specific
};

struct Plan {
  std::vector<Flow> flows;  // by file, then name
  std::vector<Instance> instances;
  QuotaSet quotas;
  std::vector<QuotaRule> quota_rules;  // one for each node
  Selector selector{{}};               // over `owners`
  std::vector<PatternOwner> owners;
  std::vector<UrlPattern> known_paths;  // path_params/, for discovery and the label `path`
  std::chrono::milliseconds longest_queue_wait{0};

  [[nodiscard]] std::optional<uint32_t> quota_node(std::string_view id) const;
  [[nodiscard]] bool empty() const { return owners.empty(); }
};

}  // namespace lunar
