// The system calls that a gateway process needs, and no others (seccomp). What is not listed fails with EPERM, so that
// a library which probes for a newer call falls back instead of being killed.
#pragma once

#include "flowengine/result.h"

namespace lunar {

// For all threads of the process, for good.
[[nodiscard]] Result<> confine_syscalls();

}  // namespace lunar
