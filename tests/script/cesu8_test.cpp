#include "flowengine/script/cesu8.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("cesu8: characters above U+FFFF become two surrogates, and are themselves again") {
  const std::string text = "a\u00e9\u20ac\U0001F600z\U0010FFFF";
  CHECK(to_cesu8("\U0001F600") == "\xed\xa0\xbd\xed\xb8\x80");
  CHECK(from_cesu8(to_cesu8(text)) == text);
  CHECK(to_cesu8("a\u00e9\u20ac") == "a\u00e9\u20ac");
  CHECK(from_cesu8("").empty());
}

TEST_CASE("cesu8: a surrogate without a partner becomes U+FFFD") {
  CHECK(from_cesu8("a\xed\xa0\xbdz") == "a\ufffdz");
  CHECK(from_cesu8("\xed\xb8\x80\xed\xa0\xbd") == "\ufffd\ufffd");
  CHECK(from_cesu8("\xed\xa0\xbd\xed\xa0\xbd\xed\xb8\x80") == "\ufffd\U0001F600");
  CHECK(from_cesu8("\xed\x9f\xbf") == "\xed\x9f\xbf");
}
