// What a gateway process gives up after it has read its start message and before it looks at the first hostile byte.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flowengine/result.h"

namespace lunar {

struct SandboxNeeds {
  std::string config_dir;                  // read
  std::vector<std::string> write_folders;  // logs, state; what is not there is left out
};

struct Confinement {
  std::vector<std::string> weakened;                      // sentences: which promise this kernel cannot keep
  std::optional<std::vector<std::string>> write_folders;  // canonical, those that were there; none: not confined

  // As far as the sandbox is concerned: the user's rights are another matter.
  [[nodiscard]] bool may_write_in(const std::string& folder) const;
};

// Before any thread is started; for good.
[[nodiscard]] Result<Confinement> sandbox(const SandboxNeeds& needs);

}  // namespace lunar
