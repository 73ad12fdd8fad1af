#include "agent/http/content_coding.h"

#include <brotli/encode.h>
#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <vector>

namespace lunar::http {
namespace {

constexpr size_t limit = 1 << 20;

// zlib's window bits say which of its three formats is written.
std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string brotli(std::string_view text) {
  size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  REQUIRE(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_DEFAULT_MODE, text.size(),
                                reinterpret_cast<const uint8_t*>(text.data()), &size,
                                reinterpret_cast<uint8_t*>(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Coded {
  std::string_view coding;
  std::string body;
};

std::vector<Coded> every_coding(std::string_view text) {
  return {{"gzip", deflated(text, 31)},     {"X-GZIP", deflated(text, 31)}, {"deflate", deflated(text, 15)},
          {"deflate", deflated(text, -15)}, {"br", brotli(text)},           {"zstd", zstd(text)},
          {"identity", std::string(text)},  {"", std::string(text)}};
}

TEST_CASE("content coding: each is undone, whatever the length") {
  for (size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{300000}}) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text.push_back(static_cast<char>('a' + i * i % 23));
    for (const Coded& one : every_coding(text)) CHECK(decode_content(one.body, one.coding, limit) == text);
  }
}

TEST_CASE("content coding: several are undone from the last to the first") {
  CHECK(decode_content(brotli(deflated("twice", 31)), "gzip, br", limit) == "twice");
}

TEST_CASE("content coding: members of a gzip file follow one another") {
  CHECK(decode_content(deflated("one ", 31) + deflated("two", 31), "gzip", limit) == "one two");
}

TEST_CASE("content coding: what is cut, broken, followed by more or unknown has no text") {
  for (const Coded& one : every_coding("some text that is long enough to be cut")) {
    if (one.coding.empty() || one.coding == "identity") continue;
    for (size_t cut = 0; cut < one.body.size(); ++cut)
      CHECK_FALSE(decode_content(std::string_view(one.body).substr(0, cut), one.coding, limit) ==
                  "some text that is long enough to be cut");
    CHECK(decode_content(one.body + "more", one.coding, limit) == std::unexpected(CodingFault::unreadable));
  }
  CHECK(decode_content("x", "rot13", limit) == std::unexpected(CodingFault::unreadable));
  CHECK(decode_content("x", "gzip, gzip, gzip, gzip, gzip", limit) == std::unexpected(CodingFault::unreadable));
}

TEST_CASE("content coding: a bomb ends at the limit, and the limit itself is allowed") {
  const std::string zeros(4 << 20, '\0');
  for (const Coded& one : every_coding(zeros)) {
    CAPTURE(one.coding);
    CHECK(decode_content(one.body, one.coding, limit) == std::unexpected(CodingFault::too_long));
  }
  CHECK(decode_content(brotli(deflated(zeros, 31)), "gzip, br", limit) == std::unexpected(CodingFault::too_long));
  const std::string twice = deflated(zeros, 31);
  CHECK(decode_content(deflated(twice, 31), "gzip, gzip", twice.size() - 1) == std::unexpected(CodingFault::too_long));
  const std::string fits(limit, '\0');
  for (const Coded& one : every_coding(fits)) CHECK(decode_content(one.body, one.coding, limit) == fits);
}

}  // namespace
}  // namespace lunar::http
