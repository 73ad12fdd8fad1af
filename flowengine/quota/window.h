// One fixed window and the rules by which it opens, counts, closes and leaves something over (flows.md §8.2, §8.3).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "flowengine/instant.h"
#include "flowengine/quota/calendar.h"
#include "flowengine/quota/definition.h"

namespace lunar {

struct Window {
  int64_t used = 0;
  int64_t carry = 0;
  SteadyTime end = SteadyTime::max();  // by its length; meaningful while open
  WallTime opened{};                   //
  WallTime renewal = WallTime::max();  // closes it as well; a date of the calendar, hence on the clock that people set
  WallTime carry_ends = WallTime::max();  // the first renewal instant after which carry is 0
  bool open = false;
  [[nodiscard]] bool forgettable() const { return !open && carry == 0; }
};

class WindowRules {
 public:
  WindowRules(const FixedWindow& definition, const LocalZone& zone);

  // Closes what is over. Each of the others expects a window that was brought up to date with the same `now`.
  void update(Window& window, const Instant& now) const;
  [[nodiscard]] int64_t limit(const Window& window) const { return definition_.max + window.carry; }
  [[nodiscard]] bool admits(const Window& window, int64_t amount) const;
  [[nodiscard]] bool ever_admits(int64_t amount) const;
  [[nodiscard]] SteadyTime earliest(const Window& window, const Instant& now) const;  // after a refusal
  void count(Window& window, int64_t amount, const Instant& now) const;               // 0 opens no window

  // What people read as the end of an open window.
  [[nodiscard]] WallTime closes(const Window& window, const Instant& now) const;
  [[nodiscard]] WallTime nominal_end(const Window& window) const;  // had the clock of people never been set
  void change_carry_renewal(Window& window, const Instant& now) const;
  [[nodiscard]] const FixedWindow& definition() const { return definition_; }
  [[nodiscard]] std::chrono::nanoseconds length() const { return length_; }

 private:
  void close(Window& window) const;

  FixedWindow definition_;
  const LocalZone* zone_;
  std::chrono::nanoseconds length_;
};

// When `wall` will be, as far as can be told now.
[[nodiscard]] SteadyTime steady_time(WallTime wall, const Instant& now);
[[nodiscard]] WallTime wall_time(SteadyTime steady, const Instant& now);

}  // namespace lunar
