#include "agent/admin/gateway_view.h"

#include "agent/admin/wire.h"

namespace lunar::admin {

using nlohmann::json;

json FailsafeReport::to_json() const {
  json list = json::array();
  for (const Transition& transition : transitions) {
    list.push_back(
        {{"from", transition.from}, {"to", transition.to}, {"reason", transition.reason}, {"count", transition.count}});
  }
  return {{wire::key::kState, state},
          {wire::key::kSince, since},
          {wire::key::kReason, reason},
          {"transitions", std::move(list)}};
}

FailsafeReport FailsafeReport::from_json(const json& report) {
  FailsafeReport out;
  out.state = report.value(wire::key::kState, out.state);
  out.since = report.value(wire::key::kSince, out.since);
  out.reason = report.value(wire::key::kReason, out.reason);
  for (const json& one : report.value("transitions", json::array())) {
    out.transitions.push_back(
        {one.value("from", ""), one.value("to", ""), one.value("reason", ""), one.value("count", uint64_t{0})});
  }
  return out;
}

}  // namespace lunar::admin
