#include "flowengine/tokens/tokens.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar;

TEST_CASE("tokens: known texts have the counts that the published tokenizers give them") {
  CHECK(count_tokens(Encoding::cl100k_base, "") == 0);
  CHECK(count_tokens(Encoding::o200k_base, "") == 0);
  CHECK(count_tokens(Encoding::cl100k_base, "hello world") == 2);
  CHECK(count_tokens(Encoding::o200k_base, "hello world") == 2);
  CHECK(count_tokens(Encoding::cl100k_base, "tiktoken is great!") == 6);
  CHECK(count_tokens(Encoding::o200k_base, "tiktoken is great!") == 6);
  CHECK(count_tokens(Encoding::cl100k_base, "antidisestablishmentarianism") == 6);
}

TEST_CASE("tokens: the name of a special token is plain text") {
  CHECK(count_tokens(Encoding::cl100k_base, "<|endoftext|>") == 7);
  CHECK(count_tokens(Encoding::o200k_base, "<|endoftext|>") == 7);
}

TEST_CASE("tokens: bytes that are not UTF-8 count as replacement characters") {
  for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
    CHECK(count_tokens(encoding, "a\xff z") == count_tokens(encoding, "a\xef\xbf\xbd z"));
    CHECK(count_tokens(encoding, "\xe2\x82") == count_tokens(encoding, "\xef\xbf\xbd"));
  }
}

TEST_CASE("tokens: encodings have names, and only those") {
  CHECK(encoding_from_name("cl100k_base") == Encoding::cl100k_base);
  CHECK(encoding_from_name("o200k_base") == Encoding::o200k_base);
  CHECK(encoding_from_name(encoding_name(Encoding::o200k_base)) == Encoding::o200k_base);
  CHECK_FALSE(encoding_from_name("p50k_base"));
  CHECK_FALSE(encoding_from_name("O200K_BASE"));
  CHECK_FALSE(encoding_from_name(""));
}

TEST_CASE("tokens: the longest known prefix decides about a model, and others fall back") {
  const auto encoding = [](std::string_view model) { return encoding_of_model(model).encoding; };
  CHECK(encoding("gpt-4") == Encoding::cl100k_base);
  CHECK(encoding("gpt-4-turbo-2024-04-09") == Encoding::cl100k_base);
  CHECK(encoding("gpt-4o") == Encoding::o200k_base);
  CHECK(encoding("gpt-4o-mini-of-next-year") == Encoding::o200k_base);
  CHECK(encoding("gpt-4.1-nano") == Encoding::o200k_base);
  CHECK(encoding("o3-mini") == Encoding::o200k_base);
  CHECK_FALSE(encoding_of_model("gpt-4").fell_back);
  for (const std::string_view unknown : {"", "gpt", "claude-3-opus", "text-davinci-003", "GPT-4o", "gpt2"}) {
    CAPTURE(unknown);
    CHECK(encoding_of_model(unknown).encoding == Encoding::cl100k_base);
    CHECK(encoding_of_model(unknown).fell_back);
  }
}

TEST_CASE("tokens: a text counts as the sum of its pieces however long it is") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += " word";
  CHECK(count_tokens(Encoding::cl100k_base, text) == 1000);
  CHECK(count_tokens(Encoding::o200k_base, text) == 1000);
}
