#include "flowengine/quantity.h"

#include <doctest/doctest.h>

using namespace lunar;
using namespace std::chrono_literals;

TEST_CASE("duration: a number with its unit") {
  const std::pair<std::string_view, std::chrono::milliseconds> cases[] = {
      {"0s", 0ms}, {"250ms", 250ms}, {"10s", 10s}, {"5m", 5min}, {"24h", 24h}, {"1.5s", 1500ms}, {"0.25h", 15min},
  };
  for (auto [text, expected] : cases) {
    CAPTURE(text);
    CHECK(parse_duration(text) == expected);
  }
}

TEST_CASE("duration: everything else is refused") {
  for (std::string_view text : {"",
                                "10",
                                "s",
                                "-1s",
                                "+1s",
                                "1 s",
                                "1s ",
                                " 1s",
                                "1S",
                                "1min",
                                "1d",
                                "1.s",
                                ".5s",
                                "1.5.5s",
                                "1.0005s",
                                "0.1ms",
                                "1e3s",
                                "0x1s",
                                "9223372036854775807s",
                                "99999999999999999999ms"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("size: bytes or a binary unit") {
  const std::pair<std::string_view, uint64_t> cases[] = {
      {"0", 0}, {"512", 512}, {"10KiB", 10240}, {"1MiB", 1048576}, {"1.5MiB", 1572864}, {"2GiB", 2147483648},
  };
  for (auto [text, expected] : cases) {
    CAPTURE(text);
    CHECK(parse_size(text) == expected);
  }
  for (std::string_view text : {"", "KiB", "1kb", "1KB", "1K", "-1", "1.5", "0.3KiB", "1 MiB", "99999999999GiB"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("quantities: are written in the largest unit that is exact, and parse back") {
  const std::pair<std::chrono::milliseconds, std::string_view> durations[] = {
      {0ms, "0s"}, {250ms, "250ms"}, {1500ms, "1500ms"}, {10s, "10s"}, {90s, "90s"}, {120s, "2m"}, {24h, "24h"},
  };
  for (auto [value, text] : durations) {
    CHECK(duration_text(value) == text);
    CHECK(parse_duration(text) == value);
  }
  const std::pair<uint64_t, std::string_view> sizes[] = {
      {0, "0"}, {1000, "1000"}, {1024, "1KiB"}, {10485760, "10MiB"}, {3ULL << 30, "3GiB"},
  };
  for (auto [value, text] : sizes) {
    CHECK(size_text(value) == text);
    CHECK(parse_size(text) == value);
  }
}
