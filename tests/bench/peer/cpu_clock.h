// CPU time that processes have used: all their threads, also ended ones, exact to the moment of reading.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <vector>

#include "tests/bench/peer/reactor.h"

namespace lunar::bench {

class CpuClock {
 public:
  explicit CpuClock(const std::vector<pid_t>& processes) {
    for (pid_t process : processes) {
      clockid_t clock = 0;
      if ((errno = clock_getcpuclockid(process, &clock)) != 0) die("the CPU clock of a gateway process");
      clocks_.push_back(clock);
    }
  }

  [[nodiscard]] double seconds() const {
    double sum = 0;
    for (clockid_t clock : clocks_) {
      timespec used{};
      if (clock_gettime(clock, &used) < 0) die("a gateway process has ended");
      sum += static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
    }
    return sum;
  }

 private:
  std::vector<clockid_t> clocks_;
};

}  // namespace lunar::bench
