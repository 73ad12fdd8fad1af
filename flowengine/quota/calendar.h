// The instants of a monthly renewal (flows.md §8.3).
#pragma once

#include <chrono>

#include "flowengine/instant.h"
#include "flowengine/quota/definition.h"

namespace lunar {

// What the clocks on the wall show; a resource of whoever can read the zone of the machine.
class LocalZone {
 public:
  LocalZone() = default;
  LocalZone(const LocalZone&) = delete;
  LocalZone& operator=(const LocalZone&) = delete;
  virtual ~LocalZone() = default;
  // Local time minus UTC at an instant. At most one change within any 28 hours.
  [[nodiscard]] virtual std::chrono::seconds offset(WallTime at) const = 0;
};

[[nodiscard]] const LocalZone& utc();

// The `count`-th instant after `after`, with `count` from 1 to 2400. A day that the month lacks is its last day, a
// local time that a clock change skips is the next valid one, a doubled one the first.
[[nodiscard]] WallTime next_renewal(const MonthlyRenewal& renewal, WallTime after, const LocalZone& zone,
                                    int64_t count = 1);

}  // namespace lunar
