// The listeners that redirected connections arrive on: four IPv4 addresses and [::1] per worker.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "agent/redirect/hook.h"
#include "flowengine/result.h"

namespace lunar {

struct WorkerListener {
  Fd fd;
  uint32_t worker = 0;
  Endpoint address;
};

// Opens worker w's listeners in the calling thread's network namespace, on the given ports; port 0: chosen by the
// kernel, the same for the four IPv4 addresses. A family that the namespace lacks has no listener. Non-blocking,
// close-on-exec. Not tagged yet: Hook::tag_listener.
[[nodiscard]] Result<std::vector<WorkerListener>> open_worker_listeners(uint32_t worker, WorkerPorts ports,
                                                                        int backlog = 4096);
[[nodiscard]] WorkerPorts ports_of(const std::vector<WorkerListener>& listeners);

// Connections that wait in the listener's queue.
[[nodiscard]] uint32_t pending_accepts(int listener_fd);

// Stops it at once, also where another process still holds or polls it (its accept then ends with EINVAL).
void shut_listener(int listener_fd);

}  // namespace lunar
