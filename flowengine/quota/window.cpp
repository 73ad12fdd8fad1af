#include "flowengine/quota/window.h"

#include <algorithm>
#include <array>

namespace lunar {
namespace {

using namespace std::chrono;

constexpr seconds longest_window = hours(24 * 36525);
constexpr int64_t most_used = int64_t{1} << 60;  // sums of amounts stay far from an overflow
constexpr std::array<seconds, 5> unit_lengths = {seconds(1), minutes(1), hours(1), hours(24), hours(24 * 30)};

seconds length_of(const FixedWindow& definition) {
  if (definition.renewal && definition.unit == Unit::month) return longest_window;
  seconds unit = unit_lengths[static_cast<size_t>(definition.unit)];
  return definition.interval > longest_window / unit ? longest_window : unit * definition.interval;
}

}  // namespace

SteadyTime steady_time(WallTime wall, const Instant& now) {
  if (wall - now.wall > longest_window) return now.steady + longest_window;
  return now.steady + std::max(wall - now.wall, milliseconds(-longest_window));
}

WallTime wall_time(SteadyTime steady, const Instant& now) { return now.wall + ceil<milliseconds>(steady - now.steady); }

WindowRules::WindowRules(const FixedWindow& definition, const LocalZone& zone)
    : definition_(definition), zone_(&zone), length_(length_of(definition)) {}

WallTime WindowRules::nominal_end(const Window& window) const {
  return std::min(window.renewal, window.opened + floor<milliseconds>(length_));
}

WallTime WindowRules::closes(const Window& window, const Instant& now) const {
  return std::min(window.renewal, wall_time(window.end, now));
}

void WindowRules::close(Window& window) const {
  if (definition_.spillover_max && definition_.carry_renewal) {
    WallTime end = nominal_end(window);
    if (window.carry_ends < end) window.carry = 0;
    window.carry = std::clamp<int64_t>(limit(window) - window.used, 0, *definition_.spillover_max);
    // A renewal at the very moment of closing takes the carry as well.
    window.carry_ends = next_renewal(*definition_.carry_renewal, end - milliseconds(1), *zone_);
  } else {
    window.carry = 0;
  }
  window.used = 0;
  window.open = false;
}

void WindowRules::update(Window& window, const Instant& now) const {
  if (window.open && (now.steady >= window.end || now.wall >= window.renewal)) close(window);
  if (window.carry > 0 && now.wall >= window.carry_ends) window.carry = 0;
}

bool WindowRules::admits(const Window& window, int64_t amount) const {
  if (definition_.counter == Counter::response) return window.used < limit(window);
  return amount <= limit(window) - window.used;
}

bool WindowRules::ever_admits(int64_t amount) const {
  return definition_.counter == Counter::response || amount <= definition_.max + definition_.spillover_max.value_or(0);
}

SteadyTime WindowRules::earliest(const Window& window, const Instant& now) const {
  // Without an open window the need is larger than max, and only what a window leaves over can satisfy it.
  if (!window.open) return now.steady + length_;
  return std::min(window.end, steady_time(window.renewal, now));
}

void WindowRules::count(Window& window, int64_t amount, const Instant& now) const {
  if (amount <= 0) return;
  if (!window.open) {
    window.open = true;
    window.opened = now.wall;
    window.end = now.steady + length_;
    if (definition_.renewal) {
      int64_t instants = definition_.unit == Unit::month ? definition_.interval : 1;
      window.renewal = next_renewal(*definition_.renewal, now.wall, *zone_, instants);
    }
    if (definition_.carry_renewal) window.carry_ends = next_renewal(*definition_.carry_renewal, now.wall, *zone_);
  }
  window.used = std::min(most_used, window.used + std::min(amount, most_used));
}

void WindowRules::change_carry_renewal(Window& window, const Instant& now) const {
  if (!definition_.spillover_max) window.carry = 0;
  window.carry = std::min(window.carry, definition_.spillover_max.value_or(0));
  if (definition_.carry_renewal) window.carry_ends = next_renewal(*definition_.carry_renewal, now.wall, *zone_);
}

}  // namespace lunar
