#include "flowengine/plan/plan.h"

#include <algorithm>
#include <array>

namespace lunar {
namespace {

constexpr std::array<std::string_view, 10> label_names{"flow_name",   "processor_key", "http_method", "url",
                                                       "status_code", "consumer_tag",  "host",        "comm",
                                                       "unit",        "container"};

}  // namespace

BodyUse& BodyUse::operator|=(const BodyUse& other) {
  hold_request = hold_request || other.hold_request;
  keep_request = keep_request || other.keep_request;
  hold_response = hold_response || other.hold_response;
  copy_response = copy_response || other.copy_response;
  copy_request = copy_request || other.copy_request;
  return *this;
}

std::optional<MetricLabel> metric_label(std::string_view name) {
  auto found = std::ranges::find(label_names, name);
  if (found == label_names.end()) return std::nullopt;
  return static_cast<MetricLabel>(found - label_names.begin());
}

std::string_view metric_label_name(MetricLabel label) { return label_names[static_cast<size_t>(label)]; }

std::optional<uint32_t> Plan::quota_node(std::string_view id) const {
  auto found = std::ranges::find(quotas.nodes, id, &QuotaNode::id);
  if (found == quotas.nodes.end()) return std::nullopt;
  return static_cast<uint32_t>(found - quotas.nodes.begin());
}

}  // namespace lunar
