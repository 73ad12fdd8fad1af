// Rules of lunard.yaml that concern more than one key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/lunard_config.h"

namespace lunar {

struct CheckFinding {
  std::string_view path;  // the key to point at
  std::string text;
};
[[nodiscard]] std::vector<CheckFinding> check_config(const LunardConfig& config);

}  // namespace lunar
