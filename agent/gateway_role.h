// The unprivileged process: it parses what comes from the network, and has nothing to lose.
#pragma once

namespace lunar {

// Reads its start message from descriptor 3, serves until it is told to drain or the supervisor is gone. Gives the exit
// code of the process.
[[nodiscard]] int run_gateway();

}  // namespace lunar
