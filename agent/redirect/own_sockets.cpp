#include "agent/redirect/own_sockets.h"

#include <cstdint>

#include "agent/redirect/bpf_map.h"

namespace lunar {

bool OwnSockets::mark(int socket_fd) const {
  return map_fd_ < 0 || map_put(map_fd_, socket_fd, uint32_t{1}).has_value();
}

}  // namespace lunar
