#include "tests/bench/peer/reactor.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lunar::bench {

void die(const char* what) {
  std::fprintf(stderr, "bench_peer: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

Reactor::Reactor() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) die("epoll_create1");
}

void Reactor::control(int operation, int fd, uint32_t events, Watcher& watcher) {
  epoll_event event{.events = events, .data = {.ptr = &watcher}};
  if (epoll_ctl(epoll_.get(), operation, fd, &event) < 0) die("epoll_ctl");
}

void Reactor::poll(std::chrono::nanoseconds limit) {
  using std::chrono::milliseconds;
  // Rounded up: a loop that waits for a point in time must not spin through its last millisecond.
  int timeout = limit.count() < 0 ? -1 : static_cast<int>(std::chrono::ceil<milliseconds>(limit).count());
  int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
  if (count < 0 && errno != EINTR) die("epoll_wait");
  for (int i = 0; i < count; ++i) static_cast<Watcher*>(events_[i].data.ptr)->ready(events_[i].events);
}

}  // namespace lunar::bench
