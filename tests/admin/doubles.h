// Stand-ins for the process around the control plane.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/admin/control_host.h"
#include "agent/admin/gateway_view.h"

namespace lunar::admin::testing {

struct GatewayDouble : GatewayView {
  [[nodiscard]] GatewayCounters counters() const override { return counts; }
  [[nodiscard]] std::vector<WorkerView> workers() const override { return worker_views; }
  [[nodiscard]] Readiness readiness() const override { return state; }
  [[nodiscard]] FailsafeReport failsafe() const override { return report; }
  [[nodiscard]] uint64_t pending_accepts() const override { return 7; }
  [[nodiscard]] std::vector<std::pair<std::string, uint64_t>> direct_connections() const override { return direct; }
  Result<> request_failsafe(FailsafeMode mode) override {
    modes.push_back(mode);
    return {};
  }

  Result<> request_configuration(const ConfigurationRequest& request, ConfigurationAnswered done) override {
    requests.push_back(request);
    done({.status = 226, .body = {{"msg", "seen"}}});
    return {};
  }
  [[nodiscard]] nlohmann::json loaded_files() const override { return {{{"type", "flow"}, {"file_name", "a.yaml"}}}; }
  [[nodiscard]] nlohmann::json flows() override { return {{"flows", nlohmann::json::array()}}; }
  [[nodiscard]] nlohmann::json quotas() const override { return {{"quotas", nlohmann::json::array()}}; }
  [[nodiscard]] nlohmann::json tls() const override { return {{"intercepting", false}}; }
  [[nodiscard]] std::string discovery() override { return "{}"; }
  void write_metrics(MetricText& text) override { (void)text; }
  void observe(const CallView&) override { ++observed; }
  Result<> reopen_exporters() override { return {}; }
  Result<> flush_exporters() override { return {}; }

  size_t observed = 0;
  std::vector<ConfigurationRequest> requests;
  GatewayCounters counts{.open_connections = 3, .max_connections = 100};
  std::vector<WorkerView> worker_views{{.alive = true, .heartbeat_age_ms = 12, .open_connections = 3}};
  Readiness state{.serving = true, .ready = true};
  FailsafeReport report{
      "protecting", "2024-05-15T12:00:00.000Z", "probe_answered", {{"detached", "protecting", "start", 1}}};
  std::vector<std::pair<std::string, uint64_t>> direct{{"no_listener", 4}};
  std::vector<FailsafeMode> modes;
};

struct HostDouble : ControlHost {
  Result<nlohmann::json> attach(const AttachRequest& request) override {
    if (request.target == "missing.service") return fail("no cgroup is called missing.service; start it first", 2);
    attached.push_back(request);
    return nlohmann::json{{"target", request.pid ? "pid:" + std::to_string(*request.pid) : request.target},
                          {"state", "captured"}};
  }
  Result<nlohmann::json> detach(const AttachRequest& request) override {
    detached.push_back(request);
    return nlohmann::json{{"target", request.target}};
  }
  [[nodiscard]] nlohmann::json attachments() const override {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& request : attached) {
      list.push_back({{"target", request.target}, {"state", "captured"}, {"netns", request.netns}, {"cgroup", "/x"}});
    }
    return list;
  }
  [[nodiscard]] nlohmann::json status() const override {
    return {{"version", "9.9.9"},
            {"instance_id", "gateway-test"},
            {"uptime_s", 3700},
            {"failsafe", {{"state", "protecting"}, {"failed_probes", 0}, {"direct_connections", {{"no_listener", 4}}}}},
            {"listeners", {{"proxy", {"127.0.0.1:8000"}}, {"worker", {"127.77.0.1:1"}}}},
            {"warnings", {"one thing is odd"}}};
  }
  Result<nlohmann::json> set_failsafe(FailsafeMode mode) override {
    modes.push_back(mode);
    return nlohmann::json{{"state", mode == FailsafeMode::bypass ? "bypass" : "protecting"}, {"reason", "operator"}};
  }
  void restart_gateway(Done done) override { pending = std::move(done); }
  void configure(ConfigurationRequest request, const ConfigurationAnswered& done) override {
    requests.push_back(std::move(request));
    done(configuration_failure(400, "refused", {"gateway_config.yaml:3:1: error: bad regex"}));
  }
  [[nodiscard]] Result<nlohmann::json> doctor(const std::string& unit, std::optional<uint32_t> pid) const override {
    const std::string text = unit + (pid ? std::to_string(*pid) : "");
    return nlohmann::json{{"checks", {{{"name", "kernel"}, {"level", "ok"}, {"text", "fine " + text}}}}};
  }

  std::vector<AttachRequest> attached;
  std::vector<AttachRequest> detached;
  std::vector<FailsafeMode> modes;
  std::vector<ConfigurationRequest> requests;
  Done pending;
};

}  // namespace lunar::admin::testing
