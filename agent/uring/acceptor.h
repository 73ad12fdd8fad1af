// Accepts connections of one listening socket on a loop.
#pragma once

#include <functional>

#include "agent/base/fd.h"
#include "agent/uring/loop.h"

namespace lunar::uring {

// All calls on the loop's thread, and not out of its own callbacks where they would destroy it. The listener is not
// owned: it belongs to the supervisor, which keeps it across restarts of the gateway.
class Acceptor {
 public:
  using Accepted = std::function<void(Fd socket)>;
  // Out of descriptors or memory: called with errno, then tried again after a short pause. EINVAL is final: the
  // listener was shut down.
  using Refused = std::function<void(int error)>;

  Acceptor(Loop& loop, int listener, Accepted accepted, Refused refused);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();  // only when stopped()

  void start();
  // For good. What the kernel had accepted already is still delivered until stopped().
  void stop();
  // Also when somebody else shut the listener down.
  [[nodiscard]] bool stopped() const { return !accepting_; }
  [[nodiscard]] bool retrying() const { return retry_.armed(); }

 private:
  struct Accept : Operation {
    Acceptor& acceptor;
  };
  struct Retry : Timer {
    explicit Retry(Acceptor& owner) : Timer(&due), acceptor(owner) {}
    static void due(Timer& timer);
    Acceptor& acceptor;
  };
  static void completed(Operation& operation, int32_t result, uint32_t flags);

  Loop& loop_;
  int listener_;
  Accepted accepted_;
  Refused refused_;
  Accept accept_;
  Retry retry_;
  bool accepting_ = false;
  bool stopping_ = false;
};

}  // namespace lunar::uring
