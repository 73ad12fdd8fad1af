#include "agent/http/chunks.h"

#include <doctest/doctest.h>

namespace lunar::http {
namespace {

constexpr BodyFraming chunked{.kind = BodyFraming::Kind::chunked};

// The payload, read in two pieces that meet at `cut`.
std::string payload(BodyFraming framing, std::string_view bytes, size_t cut) {
  PayloadReader reader(framing);
  std::string out;
  reader.read(bytes.substr(0, cut), out);
  reader.read(bytes.substr(cut), out);
  return out;
}

TEST_CASE("chunks: the payload is the same at every split") {
  constexpr std::string_view bytes = "5;name=\"a;b\"\r\nhello\r\n10\r\n0123456789abcdef\r\n00;x\r\nX-Sum: 5\r\n\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) CHECK(payload(chunked, bytes, cut) == "hello0123456789abcdef");
}

TEST_CASE("chunks: hexadecimal sizes in both cases, and data that looks like framing") {
  CHECK(payload(chunked, "A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", 3) == "0\r\n\r\n0\r\n\r\n");
  CHECK(payload(chunked, "0\r\n\r\n", 2).empty());
}

TEST_CASE("chunks: other framings are their own payload") {
  for (auto kind : {BodyFraming::Kind::content_length, BodyFraming::Kind::until_close})
    CHECK(payload({.kind = kind, .length = 5}, "5\r\nab", 1) == "5\r\nab");
}

}  // namespace
}  // namespace lunar::http
