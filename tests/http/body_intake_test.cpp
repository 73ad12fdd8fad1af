#include "agent/http/body_intake.h"

#include <doctest/doctest.h>

#include "tests/http/pieces.h"

using namespace lunar::http;
using lunar::test::all_splits;

namespace {

using Kind = BodyFraming::Kind;

struct Outcome {
  std::string payload;
  std::string trailers;
  size_t used = 0;
  bool done = false;
  bool malformed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(BodyFraming framing, const std::vector<std::string_view>& pieces) {
  BodyIntake intake(framing);
  Outcome out;
  for (std::string_view piece : pieces) out.used += intake.take(piece, out.payload);
  out.trailers = intake.trailers();
  out.done = intake.done();
  out.malformed = intake.malformed();
  return out;
}

void check(BodyFraming framing, std::string_view text, const Outcome& expected) {
  CAPTURE(text);
  for (const auto& pieces : all_splits(text)) CHECK(read(framing, pieces) == expected);
}

}  // namespace

TEST_CASE("body intake: chunks give their payload, and the trailers behind them") {
  check({Kind::chunked, 0}, "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", {"hello!", "", 25, true, false});
  check({Kind::chunked, 0}, "1\r\nx\r\n0;a\r\nA: 1\r\nB:\r\n\r\nGET /", {"x", "A: 1\r\nB:\r\n", 23, true, false});
  check({Kind::chunked, 0}, "0\r\nA: 1\r\n\r\n", {"", "A: 1\r\n", 11, true, false});
}

TEST_CASE("body intake: there are no trailers before the end") {
  check({Kind::chunked, 0}, "0\r\nA: 1\r\n", {"", "", 9, false, false});
  check({Kind::chunked, 0}, "2\r\nxyz", {"xy", "", 5, false, true});
}

TEST_CASE("body intake: other framings are their own payload") {
  check({Kind::content_length, 3}, "abcd", {"abc", "", 3, true, false});
  check({Kind::until_close, 0}, "0\r\n\r\n", {"0\r\n\r\n", "", 5, false, false});
  CHECK(BodyIntake(BodyFraming{Kind::until_close, 0}).complete_at_close());
  CHECK(BodyIntake(BodyFraming{Kind::none, 0}).done());
}
