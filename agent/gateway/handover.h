// Idle client connections on their way from a draining gateway to its successor. What the hook remembered of them
// stays with the socket.
#pragma once

#include <optional>

#include "agent/base/fd.h"
#include "agent/config/gateway_start.h"

namespace lunar::gateway {

struct HandedOver {
  Fd client;
  ListenerRole role = ListenerRole::worker;
};

// Never blocks; false when the socket is full or the successor is gone. `client` stays the caller's.
[[nodiscard]] bool send_client(int handover_socket, int client, ListenerRole role);
// Never blocks; nothing when there is none. `closed` is set when the predecessor has gone.
[[nodiscard]] std::optional<HandedOver> receive_client(int handover_socket, bool& closed);

}  // namespace lunar::gateway
