// The parts of GET /doctor that do not depend on who answers it: time, environment, what is configured.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lunar::admin {

// `status` gives the failsafe.
[[nodiscard]] nlohmann::json doctor_frame(const nlohmann::json& status);

// The value of an environment variable as it may be shown: keys and passwords are masked.
[[nodiscard]] std::string masked(std::string_view name, std::string_view value);

}  // namespace lunar::admin
