// Rules of lunard.yaml that concern more than one key, and entries of lists.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/lunard_config.h"

namespace lunar {

struct CheckFinding {
  std::string_view path;  // the key to point at
  std::string text;
  std::string entry = {};  // of the list that the key is: the one to point at; empty: the whole value
  std::string_view id = "out-of-range";
};
[[nodiscard]] std::vector<CheckFinding> check_config(const LunardConfig& config);

}  // namespace lunar
