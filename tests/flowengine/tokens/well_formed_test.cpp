#include "flowengine/tokens/well_formed.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar::tokens;

namespace {
const std::string R = "\xef\xbf\xbd";
}

TEST_CASE("well-formed text: UTF-8 stays as it is") {
  for (const std::string text : {"", "ascii only, long enough for words", "\u00e9\u20ac\U0001F600", "\ufeffx",
                                 "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    CAPTURE(text);
    CHECK(is_well_formed(text));
    CHECK(well_formed(text) == text);
  }
}

TEST_CASE("well-formed text: each maximal part of a broken sequence becomes one U+FFFD") {
  const auto becomes = [](const std::string& text, const std::string& wanted) {
    CAPTURE(wanted);
    CHECK_FALSE(is_well_formed(text));
    CHECK(well_formed(text) == wanted);
  };
  becomes("a\x80z", "a" + R + "z");
  becomes("\xff\xfe", R + R);
  becomes("\xe2\x82", R);
  becomes("\xe2\x82z", R + "z");
  becomes("\xf0\x9f\x98z", R + "z");
  becomes("\xc0\xaf", R + R);                  // overlong
  becomes("\xe0\x80\x80", R + R + R);          // overlong
  becomes("\xed\xa0\x80", R + R + R);          // a surrogate
  becomes("\xf4\x90\x80\x80", R + R + R + R);  // above U+10FFFF
  becomes("\xe2\xe2\x82\xac", R + "\u20ac");
  becomes("long enough for whole words \xc3", "long enough for whole words " + R);
}
