// The process that runs the scripts of all flows: it hands calls to its workers, and starts another worker for each one
// that ends. The supervisor starts it, because gateways may not start processes; it never runs a script itself.
#pragma once

namespace lunar {

// `channel_fd` is a Channel of agent/base. Each message on it brings descriptors of connected stream sockets, over
// which ScriptClients talk; the first one may say how many workers there are: {"processes": 2}. Returns the exit code
// of the process when the channel and all of these sockets are closed: gateways may outlive the supervisor.
[[nodiscard]] int run_script_host(int channel_fd);

}  // namespace lunar
