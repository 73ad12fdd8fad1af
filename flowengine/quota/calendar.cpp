#include "flowengine/quota/calendar.h"

#include <algorithm>

namespace lunar {
namespace {

using namespace std::chrono;

class Utc final : public LocalZone {
 public:
  [[nodiscard]] seconds offset(WallTime) const override { return seconds(0); }
};

// Offsets lie between -12 and +14 hours, so that the instant of a local time lies within these bounds around it.
constexpr hours before = hours(15);
constexpr hours behind = hours(13);

// The first instant at which the zone has left the offset of `low`; it has by `high`.
WallTime find_change(WallTime low, WallTime high, const LocalZone& zone) {
  seconds old = zone.offset(low);
  while (high - low > milliseconds(1)) {
    WallTime middle = low + (high - low) / 2;
    (zone.offset(middle) == old ? low : high) = middle;
  }
  return high;
}

// `local` counts as if it were UTC.
WallTime instant_of(WallTime local, const LocalZone& zone) {
  seconds early = zone.offset(local - before);
  seconds late = zone.offset(local + behind);
  if (early == late) return local - early;
  WallTime change = find_change(local - before, local + behind, zone);
  if (local - early < change) return local - early;
  return std::max(local - late, change);
}

WallTime renewal_in(const MonthlyRenewal& renewal, year_month month, const LocalZone& zone) {
  auto last = static_cast<int>(static_cast<unsigned>((month / std::chrono::last).day()));
  auto date = month / day(static_cast<unsigned>(std::min(renewal.day, last)));
  return instant_of(WallTime(sys_days(date)) + hours(renewal.hour) + minutes(renewal.minute), zone);
}

}  // namespace

const LocalZone& utc() {
  static const Utc zone;
  return zone;
}

WallTime next_renewal(const MonthlyRenewal& renewal, WallTime after, const LocalZone& local, int64_t count) {
  const LocalZone& zone = renewal.local ? local : utc();
  year_month_day today(floor<days>(after + zone.offset(after)));
  year_month month = today.year() / today.month();
  // Around a clock change the local date may step back over the turn of a month, so the search begins one earlier.
  month -= months(1);
  while (renewal_in(renewal, month, zone) <= after) month += months(1);
  return renewal_in(renewal, month + months(std::clamp<int64_t>(count, 1, 2400) - 1), zone);
}

}  // namespace lunar
