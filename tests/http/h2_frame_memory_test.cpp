#include "agent/http/h2_frame_memory.h"

#include <doctest/doctest.h>

#include <array>
#include <string_view>

using namespace lunar::http;

namespace {

constexpr size_t frame_block = 16'394;  // what nghttp2 asks for
std::array<char, 17'000> place;
int taken = 0, given = 0;
bool full = false;

H2FrameBlocks blocks() {
  taken = given = 0;
  full = false;
  return {.size = place.size(),
          .take = []() noexcept -> void* { return full || ++taken > 1 ? nullptr : place.data(); },
          .give =
              [](void* block) noexcept {
                CHECK(block == place.data());
                ++given;
              }};
}

}  // namespace

TEST_CASE("HTTP/2 frames: the block for them comes from its owner's place, and nothing else does") {
  H2FrameMemory memory(blocks());
  void* small = memory.resize(memory.resize(nullptr, 10), 100);
  void* large = memory.allocate(place.size() + 1);
  CHECK(taken == 0);
  void* block = memory.resize(nullptr, frame_block);
  CHECK(block == place.data());
  void* second = memory.allocate(frame_block);
  CHECK(taken == 1);
  for (void* other : {small, large, second, static_cast<void*>(nullptr)}) memory.release(other);
  CHECK(given == 0);
  memory.release(block);
  CHECK(given == 1);
}

TEST_CASE("HTTP/2 frames: a block that is too small moves to the heap with what is in it") {
  H2FrameMemory memory(blocks());
  auto* block = static_cast<char*>(memory.allocate(frame_block));
  constexpr std::string_view text = "frame";
  text.copy(block + frame_block - text.size(), text.size());
  auto* moved = static_cast<char*>(memory.resize(block, 3 * frame_block));
  CHECK(given == 1);
  CHECK(std::string_view(moved + frame_block - text.size(), text.size()) == text);
  memory.release(moved);
  CHECK(given == 1);
}

TEST_CASE("HTTP/2 frames: where there is no place the heap has one") {
  H2FrameMemory memory(blocks());
  full = true;
  void* block = memory.allocate(frame_block);
  REQUIRE(block != nullptr);
  CHECK(block != place.data());
  memory.release(block);
  CHECK(given == 0);
  H2FrameMemory plain({});
  void* usual = plain.allocate(frame_block);
  REQUIRE(usual != nullptr);
  plain.release(usual);
}
