// The health endpoints: texts and codes that load balancers and orchestrators depend on.
#pragma once

#include <string>
#include <vector>

#include "agent/admin/gateway_view.h"
#include "agent/admin/routes.h"

namespace lunar::admin {

struct HealthIdentity {
  std::string version;
  std::string instance_id;
};

[[nodiscard]] HttpResponse healthcheck(const Readiness& readiness);
[[nodiscard]] HttpResponse healthz(const Readiness& readiness, const FailsafeReport& failsafe,
                                   const HealthIdentity& who);
[[nodiscard]] HttpResponse readyz(const Readiness& readiness, const FailsafeReport& failsafe,
                                  const HealthIdentity& who);

[[nodiscard]] std::vector<Route> health_routes(const GatewayView& gateway, HealthIdentity who);

}  // namespace lunar::admin
