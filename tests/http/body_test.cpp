#include "agent/http/body.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "tests/http/pieces.h"

using namespace lunar::http;
using lunar::test::all_splits;

namespace {

using Kind = BodyFraming::Kind;

struct Outcome {
  size_t consumed = 0;
  bool done = false;
  bool malformed = false;
  uint64_t data_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(BodyFraming framing, const std::vector<std::string_view>& pieces) {
  BodyScanner scanner(framing);
  Outcome outcome{0, scanner.done(), false, 0};
  for (std::string_view piece : pieces) {
    auto step = scanner.scan(piece);
    outcome.consumed += step.consumed;
    outcome.done = step.done;
    outcome.malformed = step.malformed;
    REQUIRE((step.consumed == piece.size() || step.done || step.malformed));
    if (step.done || step.malformed) break;
  }
  outcome.data_bytes = scanner.data_bytes();
  return outcome;
}

void check_all_splits(BodyFraming framing, std::string_view text, const Outcome& expected) {
  CAPTURE(text);
  for (const auto& pieces : all_splits(text)) CHECK(feed(framing, pieces) == expected);
}

constexpr BodyFraming chunked{Kind::chunked, 0};

}  // namespace

TEST_CASE("body: none is done before the first byte") {
  BodyScanner scanner;
  CHECK(scanner.done());
  CHECK(scanner.scan("GET /") == BodyScanner::Step{0, true, false});
  CHECK(BodyScanner({Kind::content_length, 0}).done());
}

TEST_CASE("body: a length ends exactly there, the rest belongs to the next message") {
  check_all_splits({Kind::content_length, 5}, "helloGET / HTTP/1.1", {5, true, false, 5});
  check_all_splits({Kind::content_length, 5}, "hell", {4, false, false, 4});
}

TEST_CASE("body: remaining counts down") {
  BodyScanner scanner({Kind::content_length, 10});
  CHECK(scanner.remaining() == 10);
  CHECK(scanner.scan("abc").consumed == 3);
  CHECK(scanner.remaining() == 7);
  CHECK_FALSE(scanner.complete_at_close());
  CHECK(scanner.unseen_limit() == 7);
  scanner.skip(6);
  CHECK_FALSE(scanner.done());
  scanner.skip(1);
  CHECK(scanner.done());
  CHECK(scanner.complete_at_close());
  CHECK(scanner.data_bytes() == 10);
  CHECK(scanner.unseen_limit() == 0);
}

TEST_CASE("body: until close never ends by itself") {
  check_all_splits({Kind::until_close, 0}, "anything\r\n0\r\n\r\n", {15, false, false, 15});
  BodyScanner scanner({Kind::until_close, 0});
  CHECK(scanner.complete_at_close());
  CHECK(scanner.unseen_limit() == std::numeric_limits<uint64_t>::max());
  scanner.skip(100);
  CHECK(scanner.data_bytes() == 100);
  CHECK_FALSE(scanner.done());
}

TEST_CASE("chunked body: ends behind its trailers") {
  check_all_splits(chunked, "0\r\n\r\nnext", {5, true, false, 0});
  check_all_splits(chunked, "5\r\nhello\r\n0\r\n\r\n", {15, true, false, 5});
  check_all_splits(chunked, "1\r\na\r\nA\r\n0123456789\r\n00\r\n\r\nX", {27, true, false, 11});
  check_all_splits(chunked, "5;name=value;q=\"a b\"\r\nhello\r\n0;x\r\n\r\n", {36, true, false, 5});
  check_all_splits(chunked, "2\r\n\r\n\r\n0\r\nA: b\r\nC:\r\n\r\n0", {22, true, false, 2});
  check_all_splits(chunked, "000000000000000a\r\n0123456789\r\n0\r\n\r\n", {35, true, false, 10});
}

TEST_CASE("chunked body: is not complete when the sender closes before its end") {
  for (std::string_view text : {"", "5", "5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n", "0\r\n\r"}) {
    BodyScanner scanner(chunked);
    auto step = scanner.scan(text);
    CHECK(step == BodyScanner::Step{text.size(), false, false});
    CHECK_FALSE(scanner.complete_at_close());
  }
}

TEST_CASE("chunked body: every deviation is refused at its byte, with the reason") {
  struct Case {
    std::string text;
    size_t consumed;
    const char* fault;
  };
  const Case cases[] = {
      {"\r\n", 0, "chunk size does not begin with a hexadecimal digit"},
      {" 5\r\n", 0, "chunk size does not begin with a hexadecimal digit"},
      {"+5\r\n", 0, "chunk size does not begin with a hexadecimal digit"},
      {"-1\r\n", 0, "chunk size does not begin with a hexadecimal digit"},
      {"0x5\r\n", 1, "chunk size is followed by neither CR LF nor an extension"},
      {"5\nhello", 1, "chunk size is followed by neither CR LF nor an extension"},
      {"5 \r\n", 1, "chunk size is followed by neither CR LF nor an extension"},
      {"5g\r\n", 1, "chunk size is followed by neither CR LF nor an extension"},
      {"5\r\r\n", 2, "bare CR in a chunk size line"},
      {"5\rhello", 2, "bare CR in a chunk size line"},
      {"5;a\nb\r\n", 3, "control character in a chunk extension"},
      {std::string("5;a\0b\r\n", 7), 3, "control character in a chunk extension"},
      {"5\r\nhelloX", 8, "chunk is longer than its size"},
      {"5\r\nhello\n0", 8, "chunk is longer than its size"},
      {"5\r\nhello\rX", 9, "bare CR behind a chunk"},
      {"8000000000000000\r\n", 15, "chunk size is too large"},
      {"ffffffffffffffff\r\n", 15, "chunk size is too large"},
      {"00000000000000005\r\n", 16, "chunk size is too large"},
      {"0\r\n\n", 3, "invalid byte in a trailer name"},
      {"0\r\n folded\r\n", 3, "invalid byte in a trailer name"},
      {"0\r\nA : b\r\n", 4, "invalid byte in a trailer name"},
      {"0\r\n: b\r\n", 3, "invalid byte in a trailer name"},
      {"0\r\nA: b\nC", 7, "control character in a trailer"},
      {"0\r\nA: b\rC", 8, "bare CR in a trailer"},
      {"0\r\n\rX", 4, "bare CR behind the last chunk"},
      {"1;" + std::string(5000, 'x'), 4096, "chunk extensions are too long"},
      {"0\r\nA: " + std::string(70000, 'x'), 3 + 65536, "trailers above 64 KiB"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text.substr(0, 20));
    BodyScanner scanner(chunked);
    CHECK(scanner.scan(one.text) == BodyScanner::Step{one.consumed, false, true});
    REQUIRE(scanner.fault() != nullptr);
    CHECK(std::string(scanner.fault()) == one.fault);
    CHECK(scanner.scan("5\r\n") == BodyScanner::Step{0, false, true});
    if (one.text.size() < 100) {
      for (const auto& pieces : all_splits(one.text)) CHECK(feed(chunked, pieces).consumed == one.consumed);
    }
  }
}

TEST_CASE("chunked body: the largest size is counted without overflow") {
  BodyScanner scanner(chunked);
  CHECK(scanner.scan("7fffffffffffffff\r\n").consumed == 18);
  CHECK(scanner.remaining() == 0x7fffffffffffffff);
  scanner.skip(scanner.unseen_limit());
  CHECK(scanner.scan("\r\n0\r\n\r\n") == BodyScanner::Step{7, true, false});
  CHECK(scanner.data_bytes() == 0x7fffffffffffffff);
}

TEST_CASE("chunked body: data of a chunk may go by unseen") {
  BodyScanner scanner(chunked);
  CHECK(scanner.unseen_limit() == 0);
  CHECK(scanner.scan("a\r\n012").consumed == 6);
  CHECK(scanner.unseen_limit() == 7);
  scanner.skip(7);
  CHECK(scanner.unseen_limit() == 0);
  CHECK(scanner.scan("\r\n0\r\n\r\n") == BodyScanner::Step{7, true, false});
}

TEST_CASE("body scanner: stays small, one lives in every connection") { CHECK(sizeof(BodyScanner) <= 32); }
