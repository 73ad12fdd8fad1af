// What the control API asks about the configuration (gateway.md §8): the same over both entrances, and between the
// processes.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/admin/routes.h"

namespace lunar::admin {

struct ConfigurationRequest {
  enum class Verb : uint8_t { load, check, apply, operate };
  Verb verb{};
  std::string body;      // as it came; the one who changes files reads it
  std::string asked_by;  // for the log
};

[[nodiscard]] std::string_view verb_name(ConfigurationRequest::Verb verb);

struct ConfigurationAnswer {
  int status = 200;
  nlohmann::json body;
};

using ConfigurationAnswered = std::function<void(ConfigurationAnswer)>;  // exactly once
using AskConfiguration = std::function<void(ConfigurationRequest, ConfigurationAnswered)>;

[[nodiscard]] std::vector<Route> configuration_routes(const AskConfiguration& ask);

// {"msg","error"}
[[nodiscard]] ConfigurationAnswer configuration_failure(int status, std::string_view message, const Error& error);
// Of {"accepted","msg","error","diagnostics"}: 200, or `refused`.
[[nodiscard]] ConfigurationAnswer configuration_outcome(nlohmann::json outcome, int refused);

}  // namespace lunar::admin
