// How long to wait before the next attempt: the first is free, then the wait doubles up to a limit.
#pragma once

#include <algorithm>

#include "agent/base/clock.h"

namespace lunar {

class Backoff {
 public:
  Backoff(Nanoseconds first, Nanoseconds most) : first_(first), most_(most) {}

  [[nodiscard]] Nanoseconds next() {
    const Nanoseconds wait = wait_;
    wait_ = wait_ == Nanoseconds(0) ? first_ : std::min(wait_ * 2, most_);
    return wait;
  }
  void reset() { wait_ = Nanoseconds(0); }

 private:
  Nanoseconds first_, most_;
  Nanoseconds wait_{};
};

}  // namespace lunar
