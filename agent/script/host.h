// The process that runs the scripts of all flows: it hands calls to its workers, and starts another worker for each one
// that ends. It is started before the gateway gives up the right to start processes, and never runs a script itself.
#pragma once

namespace lunar {

// `channel_fd` is a Channel of agent/base. Each message on it brings descriptors of connected stream sockets, over
// which ScriptClients talk; the first one may say how many workers there are: {"processes": 2}. Returns the exit code
// of the process when the channel is closed.
[[nodiscard]] int run_script_host(int channel_fd);

}  // namespace lunar
