// Resets connections that a process had open before it was attached, so that it comes again and is captured.
#pragma once

#include <cstdint>
#include <string>

#include "flowengine/result.h"

namespace lunar {

// Resets the TCP connections that the processes below a cgroup opened (not those that they accepted, not loopback),
// in their network namespaces, and returns how many. Needs CAP_NET_ADMIN, CAP_SYS_PTRACE and a kernel with
// CONFIG_INET_DIAG_DESTROY.
[[nodiscard]] Result<uint32_t> reset_connections(const std::string& cgroup_directory);

}  // namespace lunar
