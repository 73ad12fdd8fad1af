#include "agent/admin/health.h"

#include <utility>

#include "agent/admin/wire.h"

namespace lunar::admin {
namespace {

using nlohmann::json;

void describe(json& body, const Readiness& readiness, const FailsafeReport& failsafe, const HealthIdentity& who) {
  body[wire::key::kVersion] = who.version;
  body[wire::key::kInstance] = who.instance_id;
  body[wire::key::kFailsafe] = failsafe.to_json();
  body["flows_loaded"] = readiness.flows_loaded;
  json& skipped = body["files_skipped"] = json::array();
  for (const SkippedFile& file : readiness.files_skipped) {
    skipped.push_back({{"file", file.file}, {"line", file.line}, {"column", file.column}, {"text", file.text}});
  }
}

}  // namespace

HttpResponse healthcheck(const Readiness& readiness) {
  return {.status = readiness.serving ? 200 : 503,
          .content_type = "text/plain; charset=utf-8",
          .body = readiness.serving ? "proxy is up" : "proxy is down"};
}

HttpResponse healthz(const Readiness& readiness, const FailsafeReport& failsafe, const HealthIdentity& who) {
  const bool degraded = !readiness.degraded.empty();
  json body{{"status", !readiness.serving ? "failing" : degraded ? "degraded" : "ok"}};
  if (!readiness.serving) {
    body["reasons"] = readiness.reasons;
  } else if (degraded) {
    body["reasons"] = readiness.degraded;
  }
  describe(body, readiness, failsafe, who);
  return json_response(body, readiness.serving ? 200 : 503);
}

HttpResponse readyz(const Readiness& readiness, const FailsafeReport& failsafe, const HealthIdentity& who) {
  json body{{"ready", readiness.ready}};
  if (!readiness.ready) body["reasons"] = readiness.reasons;
  describe(body, readiness, failsafe, who);
  return json_response(body, readiness.ready ? 200 : 503);
}

std::vector<Route> health_routes(const GatewayView& gateway, HealthIdentity who) {
  using Judge = HttpResponse (*)(const Readiness&, const FailsafeReport&, const HealthIdentity&);
  const auto judged = [&gateway, who = std::move(who)](Judge judge) -> HttpService {
    return [&gateway, who, judge](const HttpRequest&, HttpReply reply) {
      reply.send(judge(gateway.readiness(), gateway.failsafe(), who));
    };
  };
  return {{"GET", "/healthcheck",
           [&gateway](const HttpRequest&, HttpReply reply) { reply.send(healthcheck(gateway.readiness())); }},
          {"GET", "/healthz", judged(healthz)},
          {"GET", "/readyz", judged(readyz)}};
}

}  // namespace lunar::admin
