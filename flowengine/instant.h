// A moment as the engine is told it: `steady` for durations, `wall` for what people and providers name.
#pragma once

#include <chrono>

namespace lunar {

using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

struct Instant {
  SteadyTime steady{};  // never jumps; the same clock for every call
  WallTime wall{};      // may be set
};

}  // namespace lunar
