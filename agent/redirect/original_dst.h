// Where an accepted connection originally wanted to go, read from the storage of its socket.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "agent/base/endpoint.h"

namespace lunar {

struct Origin {
  Endpoint destination;
  uint32_t pid = 0;  // process, in the initial pid namespace
  uint32_t uid = 0;
  uint64_t cgroup_id = 0;
  uint64_t netns_cookie = 0;
  uint32_t mark = 0;
  std::array<char, 16> comm{};      // the connecting thread's name, NUL-terminated
  uint64_t start_ns = 0;            // when the process started (CLOCK_BOOTTIME); 0 unknown
  std::optional<IpAddress> source;  // local address that the client had bound before connect()
};

// One system call a connection; needs the fd of map `accepted` and no capability.
class OriginMap {
 public:
  explicit OriginMap(int map_fd) : map_fd_(map_fd) {}
  // Nothing: somebody connected to the listener directly (a probe, or an explicit proxy client).
  [[nodiscard]] std::optional<Origin> find(int socket_fd) const;

 private:
  int map_fd_;
};

}  // namespace lunar
