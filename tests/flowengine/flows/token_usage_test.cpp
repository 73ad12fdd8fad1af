// What answers of LLMs say that they cost (flows.md §5.3).
#include "flowengine/run/token_usage.h"

#include <doctest/doctest.h>

namespace lunar {
namespace {

std::optional<TokenUsage> in_json(std::string_view text) { return usage_of(*parse_json(text)); }

std::optional<int64_t> total_of(std::string_view stream) {
  EventUsage events;
  events.read(stream);
  return events.usage() ? events.usage()->total : std::nullopt;
}

TEST_CASE("5.3: usage of a JSON body, under both names of each count") {
  const auto openai = in_json(R"({"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})");
  REQUIRE(openai);
  CHECK(openai->input == 10);
  CHECK(openai->output == 5);
  CHECK(openai->total == 15);
  const auto anthropic = in_json(R"({"usage":{"input_tokens":7,"output_tokens":"8","cache":{}}})");
  REQUIRE(anthropic);
  CHECK(anthropic->input == 7);
  CHECK(anthropic->output == 8);
  CHECK_FALSE(anthropic->total);
  for (std::string_view none : {"{}", "[]", "7", R"({"usage":null})", R"({"usage":7})", R"({"a":{"usage":{}}})"}) {
    CAPTURE(none);
    CHECK_FALSE(in_json(none));
  }
}

TEST_CASE("5.3: of an event stream the last record that has usage counts") {
  CHECK(total_of("data: {\"usage\":{\"total_tokens\":3}}\n\n"
                 "data: {\"choices\":[],\"usage\":null}\n\n"
                 "event: done\ndata: {\"response\":{\"usage\":{\"total_tokens\":30}}}\n\n"
                 ": a comment with \"usage\"\ndata: [DONE]\n\n") == 30);
  CHECK(total_of("data:{\"usage\":{\"total_tokens\":4}}\r\n\r\n") == 4);
  CHECK_FALSE(total_of("data: {\"usage\":{\"total_tokens\":3}}"));  // its line has not ended
  CHECK_FALSE(total_of("{\"usage\":{\"total_tokens\":3}}\n"));
  CHECK_FALSE(total_of("data: {\"usage\":{\"total_tokens\":3}\n"));
}

TEST_CASE("5.3: an event stream is read the same at every split") {
  constexpr std::string_view stream =
      "data: {\"n\":1}\n\ndata: {\"usage\":{\"total_tokens\":15}}\r\n\r\ndata: [DONE]\n\n";
  for (size_t split = 0; split <= stream.size(); ++split) {
    CAPTURE(split);
    EventUsage events;
    events.read(stream.substr(0, split));
    events.read(stream.substr(split));
    REQUIRE(events.usage());
    CHECK(events.usage()->total == 15);
  }
  EventUsage events;
  for (char byte : stream) events.read({&byte, 1});
  REQUIRE(events.usage());
  CHECK(events.usage()->total == 15);
}

TEST_CASE("5.3: a record without end costs bounded memory, and the next one is read") {
  EventUsage events;
  events.read("data: {\"usage\":{\"total_tokens\":3}, \"x\":\"");
  for (int i = 0; i < 100; ++i) events.read(std::string(4096, 'x'));
  events.read("\"}\n\n");
  CHECK_FALSE(events.usage());
  events.read("data: {\"usage\":{\"total_tokens\":5}}\n\n");
  REQUIRE(events.usage());
  CHECK(events.usage()->total == 5);
}

}  // namespace
}  // namespace lunar
