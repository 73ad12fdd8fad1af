// What this kernel, and this process's rights, offer to the hook; for `lunarctl doctor` and for the start of lunard.
#pragma once

#include <string>
#include <vector>

namespace lunar {

struct Feature {
  std::string name;
  bool present = false;
  bool required = true;  // false: what is lost without it stands in remedy
  std::string remedy;    // what to do, or what is missing without it
};

[[nodiscard]] std::vector<Feature> probe_kernel();

}  // namespace lunar
