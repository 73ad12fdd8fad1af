// Destinations that the gateway just failed to reach. The hook sends connects to them direct, so that the client's
// retry sees the true errno instead of a reset.
#pragma once

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"

namespace lunar {

class Unreachable {
 public:
  explicit Unreachable(int map_fd) : map_fd_(map_fd) {}  // fd of map `unreachable`; below 0: does nothing
  void note(const Endpoint& destination, MonotonicTime until) const;
  void forget(const Endpoint& destination) const;

 private:
  int map_fd_;
};

}  // namespace lunar
