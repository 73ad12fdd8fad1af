#include "agent/base/json_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

using namespace lunar;

namespace {
std::string json_of(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
}  // namespace

TEST_CASE("json text: escapes what JSON must, and nothing else") {
  CHECK(json_of("plain /path") == R"("plain /path")");
  CHECK(json_of("a\"b\\c\n\r\t\x01\x1f") == R"("a\"b\\c\n\r\t\u0001\u001f")");
  CHECK(json_of("gr\u00fc\u00df \u20ac \U0001F600") == "\"gr\u00fc\u00df \u20ac \U0001F600\"");
}

TEST_CASE("json text: every pair of bytes gives a document that another parser reads") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      REQUIRE(nlohmann::json::accept(json_of(text)));
    }
  }
}

TEST_CASE("json text: replaces overlong forms, surrogates, cut sequences and what is above U+10FFFF") {
  for (const char* bad : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                          "\xe2\x82", "\x80", "\xf5\x80\x80\x80"}) {
    const std::string text = json_of(bad);
    CHECK(text.find("\\ufffd") != std::string::npos);
    CHECK(nlohmann::json::accept(text));
  }
}
