// What a gateway process gives up after it has read its start message and before it looks at the first hostile byte.
#pragma once

#include <string>
#include <vector>

#include "flowengine/result.h"

namespace lunar {

struct SandboxNeeds {
  std::string config_dir;                  // read
  std::vector<std::string> write_folders;  // logs, state; empty names are left out
};

// Before any thread is started. The sentences say which promise this kernel cannot keep; empty: all of them hold.
[[nodiscard]] Result<std::vector<std::string>> sandbox(const SandboxNeeds& needs);

}  // namespace lunar
