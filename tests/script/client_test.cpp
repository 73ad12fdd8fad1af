#include "agent/script/client.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("script client: a reply is read wherever its bytes are split") {
  const std::string bytes = script::encode_frame({.kind = script::FrameKind::success, .id = 7}, R"({"body":"x"})") +
                            script::encode_frame({.kind = script::FrameKind::failure, .id = 8}, "no user");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ScriptClient client;
    client.feed(std::string_view(bytes).substr(0, cut));
    auto first = client.next_reply();
    client.feed(std::string_view(bytes).substr(cut));
    if (!first) first = client.next_reply();
    const auto second = client.next_reply();
    REQUIRE(first);
    CHECK(first->id == 7);
    CHECK(first->success);
    CHECK(first->text == R"({"body":"x"})");
    REQUIRE(second);
    CHECK_FALSE(second->success);
    CHECK(second->text == "no user");
    CHECK_FALSE(client.broken());
  }
}

TEST_CASE("script client: bytes that are no frame break it") {
  ScriptClient client;
  client.feed(std::string(64, '\xff'));
  CHECK_FALSE(client.next_reply());
  CHECK(client.broken());
}

TEST_CASE("script client: calls have ids of their own, and their texts arrive as they are") {
  ScriptClient client;
  const auto first = client.encode_call({.script = "a", .request = "{}", .response = {}});
  const auto second =
      client.encode_call({.script = "b", .timeout_ms = 7, .max_heap_mb = 3, .request = "{}", .response = "[]"});
  CHECK(first.id != second.id);
  script::FrameReader reader;
  reader.feed(first.bytes + second.bytes);
  CHECK_FALSE(script::split_texts(reader.next()->text)->response);
  const auto frame = reader.next();
  CHECK(frame->head.timeout_ms == 7);
  CHECK(frame->head.max_heap_mb == 3);
  CHECK(script::split_texts(frame->text)->script == "b");
  CHECK(script::split_texts(frame->text)->response == "[]");
  for (size_t size = 0; size < frame->text.size(); ++size)
    CHECK_FALSE(script::split_texts(frame->text.substr(0, size)));
}
