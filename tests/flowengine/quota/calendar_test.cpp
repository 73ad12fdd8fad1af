#include "flowengine/quota/calendar.h"

#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

// Central Europe in 2025: an hour ahead in winter, two from 30 March 01:00 UTC to 26 October 01:00 UTC.
class CentralEurope final : public LocalZone {
 public:
  [[nodiscard]] std::chrono::seconds offset(WallTime at) const override {
    bool summer = at >= utc_time("2025-03-30T01:00:00Z") && at < utc_time("2025-10-26T01:00:00Z");
    return summer ? 2h : 1h;
  }
};

// West of Greenwich, with a clock change at midnight: 1 October 00:00 does not exist, 1 April begins twice (by its last
// hour before midnight).
class Western final : public LocalZone {
 public:
  [[nodiscard]] std::chrono::seconds offset(WallTime at) const override {
    bool winter = at >= utc_time("2025-04-01T03:00:00Z") && at < utc_time("2025-10-01T04:00:00Z");
    return winter ? -4h : -3h;
  }
};

const CentralEurope europe;

std::string next(MonthlyRenewal renewal, std::string_view after, const LocalZone& zone = utc(), int64_t count = 1) {
  return rfc3339_text(next_renewal(renewal, utc_time(after), zone, count));
}

}  // namespace

TEST_CASE("renewal: the first instant after a moment, never the moment itself") {
  MonthlyRenewal renewal{1, 6, 30};
  CHECK(next(renewal, "2025-06-01T06:29:59.999Z") == "2025-06-01T06:30:00.000Z");
  CHECK(next(renewal, "2025-06-01T06:30:00Z") == "2025-07-01T06:30:00.000Z");
  CHECK(next(renewal, "2025-12-24T00:00:00Z") == "2026-01-01T06:30:00.000Z");
}

TEST_CASE("renewal: a day that the month lacks is its last day") {
  MonthlyRenewal renewal{31, 0, 0};
  CHECK(next(renewal, "2025-01-31T00:00:00Z") == "2025-02-28T00:00:00.000Z");
  CHECK(next(renewal, "2025-02-28T00:00:00Z") == "2025-03-31T00:00:00.000Z");
  CHECK(next(renewal, "2024-02-01T00:00:00Z") == "2024-02-29T00:00:00.000Z");
  CHECK(next(renewal, "2025-03-31T00:00:00Z") == "2025-04-30T00:00:00.000Z");
}

TEST_CASE("renewal: the n-th instant") {
  MonthlyRenewal renewal{31, 0, 0};
  CHECK(next(renewal, "2025-01-15T00:00:00Z", utc(), 1) == "2025-01-31T00:00:00.000Z");
  CHECK(next(renewal, "2025-01-15T00:00:00Z", utc(), 2) == "2025-02-28T00:00:00.000Z");
  CHECK(next(renewal, "2025-01-15T00:00:00Z", utc(), 14) == "2026-02-28T00:00:00.000Z");
}

TEST_CASE("renewal: local times follow the zone, UTC ones do not") {
  CHECK(next({1, 6, 0, true}, "2025-01-01T05:00:00Z", europe) == "2025-02-01T05:00:00.000Z");
  CHECK(next({1, 6, 0, true}, "2025-06-15T00:00:00Z", europe) == "2025-07-01T04:00:00.000Z");
  CHECK(next({1, 6, 0, false}, "2025-06-15T00:00:00Z", europe) == "2025-07-01T06:00:00.000Z");
  CHECK(next({1, 0, 0, true}, "2025-06-30T21:59:59Z", europe) == "2025-06-30T22:00:00.000Z");
  CHECK(next({1, 0, 0, true}, "2025-06-30T22:00:00Z", europe) == "2025-07-31T22:00:00.000Z");
}

TEST_CASE("renewal: a skipped local time is the next valid one") {
  CHECK(next({30, 2, 30, true}, "2025-03-15T00:00:00Z", europe) == "2025-03-30T01:00:00.000Z");
  CHECK(next({30, 1, 59, true}, "2025-03-15T00:00:00Z", europe) == "2025-03-30T00:59:00.000Z");
  CHECK(next({30, 2, 0, true}, "2025-03-15T00:00:00Z", europe) == "2025-03-30T01:00:00.000Z");
  CHECK(next({30, 3, 0, true}, "2025-03-15T00:00:00Z", europe) == "2025-03-30T01:00:00.000Z");
  CHECK(next({30, 3, 1, true}, "2025-03-15T00:00:00Z", europe) == "2025-03-30T01:01:00.000Z");
}

TEST_CASE("renewal: of a doubled local time the first") {
  CHECK(next({26, 2, 30, true}, "2025-10-15T00:00:00Z", europe) == "2025-10-26T00:30:00.000Z");
  // Between the two, it is over.
  CHECK(next({26, 2, 30, true}, "2025-10-26T00:45:00Z", europe) == "2025-11-26T01:30:00.000Z");
  CHECK(next({26, 1, 59, true}, "2025-10-15T00:00:00Z", europe) == "2025-10-25T23:59:00.000Z");
  CHECK(next({26, 3, 0, true}, "2025-10-15T00:00:00Z", europe) == "2025-10-26T02:00:00.000Z");
}

TEST_CASE("renewal: clock changes at the turn of a month") {
  Western zone;
  CHECK(next({1, 0, 0, true}, "2025-09-15T00:00:00Z", zone) == "2025-10-01T04:00:00.000Z");
  CHECK(next({31, 23, 30, true}, "2025-03-15T00:00:00Z", zone) == "2025-04-01T02:30:00.000Z");
  CHECK(next({31, 23, 30, true}, "2025-04-01T03:10:00Z", zone) == "2025-05-01T03:30:00.000Z");
}
