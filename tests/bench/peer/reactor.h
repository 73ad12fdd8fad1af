// One epoll loop for everything in the process: the load generator, the origin and the commands.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "agent/base/fd.h"

namespace lunar::bench {

[[noreturn]] void die(const char* what);  // with errno; a bench that cannot measure has nothing else to do

// What waits for events of one descriptor. Events are level-triggered and may be stale: a watcher whose descriptor
// was closed and replaced within one batch can be called once for the old one, and must bear EAGAIN.
class Watcher {
 public:
  virtual void ready(uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

class Reactor {
 public:
  Reactor();
  void add(int fd, uint32_t events, Watcher& watcher) { control(EPOLL_CTL_ADD, fd, events, watcher); }
  void modify(int fd, uint32_t events, Watcher& watcher) { control(EPOLL_CTL_MOD, fd, events, watcher); }

  // Serves one batch of events. A negative limit waits for the first one, zero only looks.
  void poll(std::chrono::nanoseconds limit);

 private:
  void control(int operation, int fd, uint32_t events, Watcher& watcher);

  Fd epoll_;
  std::array<epoll_event, 256> events_{};
};

}  // namespace lunar::bench
