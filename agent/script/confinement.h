// What a script worker gives up before it sees the first script.
#pragma once

#include "flowengine/result.h"

namespace lunar::script {

// Closes every descriptor but `channel`, and leaves the process nothing but memory, time, and reading and writing
// there. For good; the process is single-threaded.
[[nodiscard]] Result<> confine_worker(int channel);

}  // namespace lunar::script
