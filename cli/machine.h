// What can be said about this machine without the daemon: the light part of `lunarctl doctor`.
#pragma once

#include <string>
#include <vector>

namespace lunar::cli {

enum class Level { ok, warning, error };

struct Check {
  std::string name;
  Level level = Level::ok;
  std::string text;
  std::string hint;  // what to do; empty if nothing
};

// Reads below `root`, "" for the real one.
[[nodiscard]] std::vector<Check> check_machine(const std::string& root, const std::string& kernel_release,
                                               const std::string& config_dir);

}  // namespace lunar::cli
