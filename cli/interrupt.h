// SIGINT and SIGTERM as something to wait for, so that a refreshing display ends tidily.
#pragma once

#include <chrono>

namespace lunar::cli {

class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  // True as soon as one of the signals came; false when the time is over.
  [[nodiscard]] bool wait(std::chrono::milliseconds limit) const;

 private:
  int fd_;
};

}  // namespace lunar::cli
