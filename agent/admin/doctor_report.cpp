#include "agent/admin/doctor_report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "agent/admin/wire.h"
#include "agent/state/access_log_line.h"

namespace lunar::admin {
namespace {

using nlohmann::json;

constexpr std::string_view kMask = "********";
constexpr std::array<std::string_view, 10> kOurPrefixes{"LUNAR_",  "REDIS_", "GATEWAY_", "HUB_",    "LOG_",
                                                        "ENGINE_", "BIND_",  "METRICS_", "TENANT_", "TLS_"};
constexpr std::array<std::string_view, 5> kSecretParts{"KEY", "SECRET", "PASS", "TOKEN", "CREDENTIAL"};

bool is_ours(std::string_view name) {
  return std::any_of(kOurPrefixes.begin(), kOurPrefixes.end(),
                     [name](std::string_view prefix) { return name.starts_with(prefix); });
}

json our_environment() {
  json shown = json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    if (name.size() < text.size() && is_ours(name))
      shown[std::string(name)] = masked(name, text.substr(name.size() + 1));
  }
  return shown;
}

std::string timestamp_now() {
  std::string text;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  append_timestamp(text, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return text;
}

}  // namespace

std::string masked(std::string_view name, std::string_view value) {
  const bool secret = std::any_of(kSecretParts.begin(), kSecretParts.end(),
                                  [name](std::string_view part) { return name.find(part) != std::string_view::npos; });
  if (secret) return std::string(kMask);
  // scheme://user:password@host
  const size_t scheme = value.find("://");
  const size_t at = scheme == std::string_view::npos ? scheme : value.rfind('@');
  if (at == std::string_view::npos || at < scheme) return std::string(value);
  return std::string(value.substr(0, scheme + 3)) + std::string(kMask) + std::string(value.substr(at));
}

json doctor_frame(const json& status) {
  return {{"run_at", timestamp_now()},
          {"env", our_environment()},
          {"cluster", {{"peers", json::array()}}},
          {"redis", nullptr},
          {"is_streams_enabled", true},
          {"active_policies", json::object()},
          {"loaded_streams_config", {{"data", json::array()}}},
          {"hub", nullptr},
          {wire::key::kFailsafe, status.value(wire::key::kFailsafe, json::object())}};
}

}  // namespace lunar::admin
