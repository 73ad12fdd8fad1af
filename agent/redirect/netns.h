// Network namespaces of other processes.
#pragma once

#include <cstdint>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar::netns {

[[nodiscard]] Result<Fd> of_pid(uint32_t pid);
[[nodiscard]] Result<uint64_t> inode(int netns_fd);
[[nodiscard]] Result<> bring_loopback_up();  // of the calling thread's namespace

// The calling thread is inside while this lives. A thread that cannot return to its own namespace aborts: it would
// go on with the wrong network.
class Visit {
 public:
  [[nodiscard]] static Result<Visit> enter(int netns_fd);
  Visit(Visit&&) noexcept = default;
  Visit& operator=(Visit&&) = delete;
  ~Visit();

 private:
  explicit Visit(Fd home) : home_(std::move(home)) {}
  Fd home_;
};

}  // namespace lunar::netns
