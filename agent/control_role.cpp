#include "agent/control_role.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/redirect/probe.h"
#include "agent/supervisor_role.h"

namespace lunar {
namespace {

using nlohmann::json;

std::string target_of(const admin::AttachRequest& request) {
  return request.pid ? fmt::format("pid:{}", *request.pid) : request.target;
}

std::string state_of(const Attachment& attachment) {
  if (attachment.cgroups.empty()) return "waiting";
  if (attachment.options.policy == Policy::bypass || !attachment.warnings.empty()) return "bypass";
  return "captured";
}

json describe(const Attachment& attachment) {
  json out{{"target", attachment.target}, {"state", state_of(attachment)}, {"netns", attachment.options.netns}};
  out["cgroup"] = attachment.cgroups.empty() ? json() : json(attachment.cgroups.front());
  out["cgroups"] = attachment.cgroups;
  if (!attachment.warnings.empty()) out["warning"] = fmt::format("{}", fmt::join(attachment.warnings, "; "));
  return out;
}

json check(std::string_view name, std::string_view level, std::string text, std::string hint = "") {
  json out{{"name", name}, {"level", level}, {"text", std::move(text)}};
  if (!hint.empty()) out["hint"] = std::move(hint);
  return out;
}

json check_of(const Feature& feature) {
  if (feature.present) return check(feature.name, "ok", "present");
  return check(feature.name, feature.required ? "error" : "warning", "missing", feature.remedy);
}

class SupervisorControl : public admin::ControlHost {
 public:
  explicit SupervisorControl(Supervisor& supervisor) : supervisor_(supervisor) {}

  Result<json> attach(const admin::AttachRequest& request) override {
    Capture* capture = supervisor_.capture();
    if (capture == nullptr) return no_capture();
    auto report = capture->attachments().attach(
        target_of(request),
        {.netns = request.netns, .reset_existing = request.reset_existing, .transient = request.transient});
    if (!report) return std::unexpected(report.error());
    supervisor_.look_again();
    json out = describe(report->attachment);
    out["created"] = report->created;
    out["connections_reset"] = report->connections_reset;
    return out;
  }

  Result<json> detach(const admin::AttachRequest& request) override {
    Capture* capture = supervisor_.capture();
    if (capture == nullptr) return no_capture();
    const std::string target = target_of(request);
    const auto before = capture->attachments().list();
    auto detached = capture->attachments().detach(target);
    if (!detached) return std::unexpected(detached.error());
    if (!*detached) return fail(target + " is not attached; see lunarctl status", ENOENT);
    supervisor_.look_again();
    const auto known = std::ranges::find(before, target, &Attachment::target);
    json out = known == before.end() ? json{{"target", target}} : describe(*known);
    out["state"] = "detached";
    return out;
  }

  [[nodiscard]] json attachments() const override {
    json list = json::array();
    Capture* capture = supervisor_.capture();
    if (capture == nullptr) return list;
    for (const Attachment& attachment : capture->attachments().list()) list.push_back(describe(attachment));
    return list;
  }

  [[nodiscard]] json status() const override {
    const GatewayKeeper& keeper = supervisor_.keeper();
    json out{{"version", LUNAR_VERSION},
             {"instance_id", supervisor_.config().instance_id},
             {"uptime_s", supervisor_.uptime() / std::chrono::seconds(1)},
             {"failsafe", supervisor_.failsafe()},
             {"listeners", listeners()},
             {"warnings", warnings()}};
    out["supervisor"] = {{"pid", getpid()},
                         {"gateway_pid", keeper.pid() ? json(*keeper.pid()) : json()},
                         {"gateway_serving", keeper.serving()},
                         {"gateway_deaths", keeper.deaths()},
                         {"gateways_draining", keeper.draining()}};
    return out;
  }

  Result<json> set_failsafe(admin::FailsafeMode mode) override {
    supervisor_.set_operator_bypass(mode == admin::FailsafeMode::bypass);
    return supervisor_.failsafe();
  }

  void restart_gateway(Done done) override {
    supervisor_.restart_gateway([this, done = std::move(done)](const Result<>& outcome) {
      if (!outcome) return done(std::unexpected(outcome.error()));
      done(json{{"msg", "the gateway was replaced"}, {"pid", supervisor_.keeper().pid().value_or(0)}});
    });
  }

  void configure(admin::ConfigurationRequest request, const admin::ConfigurationAnswered& done) override {
    supervisor_.configuration().configure(std::move(request), done);
  }

  [[nodiscard]] Result<json> doctor(const std::string& unit, std::optional<uint32_t> pid) const override {
    json checks = json::array();
    for (const Feature& feature : probe_kernel()) checks.push_back(check_of(feature));
    checks.push_back(gateway_check());
    for (const std::string& warning : warning_texts()) checks.push_back(check("lunard", "warning", warning));
    if (!unit.empty() || pid) checks.push_back(target_check(pid ? fmt::format("pid:{}", *pid) : unit));
    return json{{"checks", std::move(checks)}};
  }

 private:
  [[nodiscard]] std::unexpected<Error> no_capture() const {
    if (!supervisor_.config().capture.enabled)
      return fail("capture is off: set capture.enabled: true in lunard.yaml and restart lunard", EPERM);
    return fail("nothing can be captured here: " + supervisor_.degraded(), EPERM);
  }

  [[nodiscard]] json listeners() const {
    json out = json::object();
    for (const ListenerDescriptor& listener : supervisor_.listeners().descriptors()) {
      if (!listener.address) continue;
      json& list = out[std::string(listener_role_name(listener.role))];
      if (const std::string text = listener.address->text(); std::ranges::find(list, json(text)) == list.end())
        list.push_back(text);
    }
    return out;
  }

  [[nodiscard]] std::vector<std::string> warning_texts() const {
    std::vector<std::string> texts;
    if (!supervisor_.degraded().empty()) texts.push_back("nothing is captured: " + supervisor_.degraded());
    if (Capture* capture = supervisor_.capture(); capture != nullptr && !capture->fault().empty())
      texts.push_back("captured connections go direct: " + capture->fault());
    return texts;
  }

  [[nodiscard]] json warnings() const { return warning_texts(); }

  [[nodiscard]] json gateway_check() const {
    if (supervisor_.keeper().serving()) return check("gateway process", "ok", "serving");
    return check("gateway process", "error", "not serving", "look at the log of lunard: journalctl -u lunard");
  }

  [[nodiscard]] json target_check(const std::string& target) const {
    if (Capture* capture = supervisor_.capture(); capture != nullptr) {
      for (const Attachment& attachment : capture->attachments().list()) {
        if (attachment.target != target) continue;
        const std::string state = state_of(attachment);
        const std::string text =
            attachment.warnings.empty() ? state : fmt::format("{}: {}", state, fmt::join(attachment.warnings, "; "));
        return check(target, state == "captured" ? "ok" : "warning", text);
      }
    }
    return check(target, "warning", "not attached", "lunarctl attach " + target);
  }

  Supervisor& supervisor_;
};

}  // namespace

std::unique_ptr<admin::ControlHost> make_control_host(Supervisor& supervisor) {
  return std::make_unique<SupervisorControl>(supervisor);
}

}  // namespace lunar
