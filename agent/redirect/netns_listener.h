// Listeners inside other network namespaces, so that containers attached with `netns` can be captured. Each
// namespace has the same addresses and ports as ours. A listener keeps its namespace alive: shut it when the
// last process of the target is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "agent/base/fd.h"
#include "agent/redirect/listeners.h"

namespace lunar {

class NetnsListeners {
 public:
  // Called with every listener opened in a namespace: duplicate the fds for the gateway. When a namespace is let go,
  // its listeners are shut down: the gateway's accept on them ends with EINVAL, whereupon it closes its copies.
  using Opened = std::function<void(uint64_t netns, std::span<const WorkerListener>)>;

  NetnsListeners(Hook& hook, uint32_t workers, Opened opened);
  ~NetnsListeners();
  NetnsListeners(const NetnsListeners&) = delete;
  NetnsListeners& operator=(const NetnsListeners&) = delete;

  // Opens listeners in the network namespace of a process (brings its `lo` up) for `holder`, a cgroup id. A namespace
  // that has them already, or that is our own, gains a holder only. Needs CAP_SYS_ADMIN and CAP_SYS_PTRACE.
  [[nodiscard]] Result<> hold(uint64_t holder, uint32_t pid);
  void release(uint64_t holder);  // the last holder of a namespace shuts its listeners
  // All listeners that are open, for a gateway that starts.
  void each(const Opened& visit) const;
  [[nodiscard]] size_t namespaces() const { return open_.size(); }

 private:
  struct Namespace {
    std::vector<WorkerListener> listeners;
    std::vector<uint64_t> holders;
  };
  [[nodiscard]] Result<std::vector<WorkerListener>> open_in(int netns_fd) const;

  Hook& hook_;
  uint32_t workers_;
  Opened opened_;
  uint64_t own_netns_ = 0;
  std::map<uint64_t, Namespace> open_;  // by inode of the namespace
};

}  // namespace lunar
