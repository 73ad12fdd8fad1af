// Marks sockets of our own, so that the hook never redirects their connect().
#pragma once

namespace lunar {

class OwnSockets {
 public:
  // fd of map `own_sockets`; below 0: no hook, marking does nothing and succeeds.
  explicit OwnSockets(int map_fd) : map_fd_(map_fd) {}
  // Before connect(). False: the kernel refused (out of memory); the gateway's cgroup policy still protects.
  [[nodiscard]] bool mark(int socket_fd) const;

 private:
  int map_fd_;
};

}  // namespace lunar
