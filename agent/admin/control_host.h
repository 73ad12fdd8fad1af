// What the control server asks of the process it runs in (the supervisor). Row 5 implements it.
// Everything is called on the event loop's thread; nothing here may wait.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/admin/configuration_request.h"
#include "flowengine/result.h"

namespace lunar::admin {

struct AttachRequest {
  std::string target;           // cgroup path (absolute), unit name or container id; empty if pid is set
  std::optional<uint32_t> pid;  // its cgroup is the target
  bool netns = false;           // also capture inside the target's own network namespace
  bool reset_existing = false;  // end TCP connections of the target that are open already, by sock_diag
  bool transient = false;       // forgotten at restart, and when its cgroup goes
};

enum class FailsafeMode : uint8_t { automatic, bypass };

class ControlHost {
 public:
  using Done = std::function<void(Result<nlohmann::json>)>;

  ControlHost() = default;
  ControlHost(const ControlHost&) = delete;
  ControlHost& operator=(const ControlHost&) = delete;
  virtual ~ControlHost() = default;

  // Answers hold the attachment as in attachments(). An error's errno picks the status: ENOENT 404, EEXIST and
  // EBUSY 409, EPERM and EACCES 403, EINVAL or 0 400, else 500.
  virtual Result<nlohmann::json> attach(const AttachRequest& request) = 0;
  virtual Result<nlohmann::json> detach(const AttachRequest& request) = 0;
  // A list of {"target","cgroup","state","netns","connections"?,"warning"?}.
  [[nodiscard]] virtual nlohmann::json attachments() const = 0;
  // {"version","instance_id","uptime_s","supervisor":{"pid"},"failsafe":{..},"listeners":{..},"warnings":[..]};
  // the control server adds "attachments" and "gateway".
  [[nodiscard]] virtual nlohmann::json status() const = 0;
  // Answers the failsafe object of status().
  virtual Result<nlohmann::json> set_failsafe(FailsafeMode mode) = 0;
  // `done` exactly once, at any time later (or at once): after the new gateway is ready; after the reload.
  virtual void restart_gateway(Done done) = 0;
  virtual void configure(ConfigurationRequest request, const ConfigurationAnswered& done) = 0;
  // {"checks":[{"name","level":"ok|warning|error","text","hint"?}]}; about the machine, or also about one unit or pid.
  [[nodiscard]] virtual Result<nlohmann::json> doctor(const std::string& unit, std::optional<uint32_t> pid) const = 0;
};

}  // namespace lunar::admin
