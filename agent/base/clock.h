// The clock that never jumps: CLOCK_MONOTONIC, the same one that bpf_ktime_get_ns() reads.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace lunar {

using Nanoseconds = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

[[nodiscard]] inline MonotonicTime monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return MonotonicTime(std::chrono::seconds(now.tv_sec) + Nanoseconds(now.tv_nsec));
}

}  // namespace lunar
