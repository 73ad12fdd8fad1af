#include "flowengine/http_date.h"

#include <doctest/doctest.h>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

constexpr WallTime noon(1'749'556'800s);  // 2025-06-10T12:00:00Z
constexpr Instant now{SteadyTime(5h), noon};
constexpr WallTime rfc_example(784'111'777s);

}  // namespace

TEST_CASE("http date: the three forms of RFC 9110 name one moment") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", noon) == rfc_example);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", noon) == rfc_example);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", noon) == rfc_example);
  CHECK(parse_http_date("Sun Nov 16 08:49:37 1994", noon) == rfc_example + 240h);
  CHECK(parse_http_date(" Sun, 06 Nov 1994 08:49:37 GMT\t", noon) == rfc_example);
}

TEST_CASE("http date: two digits of a year are never more than 50 years ahead") {
  CHECK(parse_http_date("Tuesday, 10-Jun-75 12:00:00 GMT", noon) == parse_rfc3339("2075-06-10T12:00:00Z"));
  CHECK(parse_http_date("Tuesday, 10-Jun-76 12:00:00 GMT", noon) == parse_rfc3339("1976-06-10T12:00:00Z"));
}

TEST_CASE("http date: what is not one of the forms is nothing") {
  for (std::string_view text :
       {"", "Sun", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sun, 06 Nov 94 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "1994-11-06"})
    CHECK_MESSAGE(!parse_http_date(text, noon), text);
}

TEST_CASE("http date: printed ones are read again") {
  CHECK(http_date_text(rfc_example) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date_text(rfc_example + 999ms) == "Sun, 06 Nov 1994 08:49:37 GMT");
  for (auto time = noon; time < noon + 24h * 800; time += 24h + 61s)
    CHECK(parse_http_date(http_date_text(time), noon) == time);
}

TEST_CASE("rfc 3339: fractions are cut to milliseconds and offsets applied") {
  CHECK(parse_rfc3339("2025-06-10T12:00:00Z") == noon);
  CHECK(parse_rfc3339("2025-06-10t14:30:00.2509+02:30") == noon + 250ms);
  CHECK(parse_rfc3339("2025-06-10 07:00:00.5-05:00") == noon + 500ms);
  CHECK(parse_rfc3339("2016-12-31T23:59:60Z") == parse_rfc3339("2017-01-01T00:00:00Z"));
  for (std::string_view text :
       {"", "2025-06-10", "2025-06-10T12:00:00", "2025-06-10T12:00:00.Z", "2025-13-10T12:00:00Z",
        "2025-02-29T12:00:00Z", "2025-06-10T12:00:00+24:00", "2025-06-10T12:00:00Zz"})
    CHECK_MESSAGE(!parse_rfc3339(text), text);
}

TEST_CASE("rfc 3339: printed with milliseconds") {
  CHECK(rfc3339_text(noon + 7ms) == "2025-06-10T12:00:00.007Z");
  CHECK(rfc3339_text(WallTime(-1ms)) == "1969-12-31T23:59:59.999Z");
  CHECK(parse_rfc3339(rfc3339_text(noon + 123ms)) == noon + 123ms);
}

TEST_CASE("retry-after: seconds or a date, and never a negative wait") {
  CHECK(parse_retry_after("120", now) == 120s);
  CHECK(parse_retry_after(" 0 ", now) == 0s);
  CHECK(parse_retry_after("1.5", now) == 1500ms);
  CHECK(parse_retry_after("Tue, 10 Jun 2025 12:00:07 GMT", now) == 7s);
  CHECK(parse_retry_after("Tue, 10 Jun 2025 11:00:00 GMT", now) == 0s);
  for (std::string_view text : {"", "-1", "+1", "1 s", "soon", "1e3", "99999999999999999999", "9999999999", "1."})
    CHECK_MESSAGE(!parse_retry_after(text, now), text);
}
