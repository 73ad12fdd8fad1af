// The user that a process becomes, for good.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "flowengine/result.h"

namespace lunar {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

// The first of these users that exists.
[[nodiscard]] Result<Identity> find_identity(const std::vector<std::string>& names);

// No supplementary groups, no capability in any set, none to be gained by an exec. Between fork and exec only.
[[nodiscard]] Result<> become(const Identity& identity);

}  // namespace lunar
