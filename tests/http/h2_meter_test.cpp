#include "agent/http/h2_meter.h"

#include <doctest/doctest.h>

#include <string>

#include "agent/http/h2_preface.h"
#include "tests/http/h2_frames.h"

using namespace lunar;
using namespace lunar::test;
using http::H2Meter;
using http::H2Time;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr H2Time noon{std::chrono::hours(12)};

http::H2Limits small_limits() {
  http::H2Limits limits;
  limits.aborted_streams = {3, 1};
  limits.settings = {3, 1};
  limits.pings = {3, 1};
  limits.idle_frames = {3, 1};
  limits.continuations = 3;
  return limits;
}

// How many of the same frame pass at one moment.
int passing(H2Meter& meter, std::string_view bytes, H2Time now = noon) {
  int count = 0;
  while (count < 1000) {
    H2Meter probe = meter;  // after its verdict, a meter is of no use
    if (probe.observe(bytes, now)) break;
    meter = probe;
    ++count;
  }
  return count;
}

int passing(std::string_view bytes) {
  H2Meter meter(small_limits(), 0, noon);
  return passing(meter, bytes);
}

}  // namespace

TEST_CASE("h2 meter: frames that bring no message on are limited, others are not") {
  CHECK(passing(settings_frame({{3, 1}})) == 3);
  CHECK(passing(ping_frame("12345678")) == 3);
  CHECK(passing(reset_frame(1, 8)) == 3);
  CHECK(passing(window_frame(1, 1)) == 3);
  CHECK(passing(frame(priority, 0, 1, "12345")) == 3);
  CHECK(passing(frame(0xfe, 0, 1, {})) == 3);
  CHECK(passing(data_frame(1, "")) == 3);
  CHECK(passing(frame(headers, 0, 1, {})) == 3);
  CHECK(passing(frame(continuation, 0, 1, "x")) == 3);
  CHECK(passing(settings_ack()) == 3);
  CHECK(passing(data_frame(1, "", flag::end_stream)) == 1000);
  CHECK(passing(data_frame(1, "x")) == 1000);
  CHECK(passing(headers_frame(1, request_fields())) == 1000);
}

TEST_CASE("h2 meter: a bucket fills with time, and not above its size") {
  H2Meter meter(small_limits(), 0, noon);
  CHECK(passing(meter, reset_frame(1, 8)) == 3);
  CHECK(passing(meter, reset_frame(1, 8), noon + milliseconds(999)) == 0);
  CHECK(passing(meter, reset_frame(1, 8), noon + seconds(1)) == 1);
  CHECK(passing(meter, reset_frame(1, 8), noon + seconds(100)) == 3);
  CHECK(passing(meter, reset_frame(1, 8), noon + seconds(1)) == 0);  // time that goes back is no time
}

TEST_CASE("h2 meter: DATA in either direction pays for PING and WINDOW_UPDATE, and not for resets") {
  H2Meter meter(small_limits(), 0, noon);
  CHECK(passing(meter, ping_frame("12345678")) == 3);
  CHECK(passing(meter, window_frame(0, 1)) == 3);
  CHECK(passing(meter, reset_frame(1, 8)) == 3);
  CHECK(!meter.observe(data_frame(1, std::string(2048, 'x')), noon));
  CHECK(passing(meter, ping_frame("12345678")) == 2);
  CHECK(!meter.data_sent(1024, false));
  CHECK(passing(meter, window_frame(0, 1)) == 3);
  CHECK(passing(meter, reset_frame(1, 8)) == 0);
}

TEST_CASE("h2 meter: CONTINUATION frames count anew for each block") {
  H2Meter meter(small_limits(), 0, noon);
  std::string one = frame(continuation, 0, 1, "x");
  std::string block = headers_frame(1, request_fields(), 0) + one + one + one;
  for (int i = 0; i < 5; ++i) CHECK(!meter.observe(block, noon));
  CHECK(meter.observe(one, noon)->reason == "too many CONTINUATION frames");
}

TEST_CASE("h2 meter: DATA that a tiny window cuts small is limited") {
  H2Meter meter(small_limits(), 0, noon);
  for (int i = 0; i < 3; ++i) CHECK(!meter.data_sent(1, true));
  CHECK(meter.data_sent(1, true).has_value());
  CHECK(!meter.data_sent(1, false));
}

TEST_CASE("h2 meter: the preface and payloads are skipped, at every split") {
  // A payload that looks like four PING frames.
  std::string pings;
  for (int i = 0; i < 4; ++i) pings += ping_frame("12345678");
  std::string bytes = std::string(http::h2_preface) + data_frame(1, pings) + ping_frame("12345678");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    H2Meter meter(small_limits(), http::h2_preface.size(), noon);
    CHECK(!meter.observe(bytes.substr(0, cut), noon));
    CHECK(!meter.observe(bytes.substr(cut), noon));
    CHECK(passing(meter, ping_frame("12345678")) == 2);
  }
}
