#include "agent/uring/frame_pool.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

using lunar::uring::FramePool;

TEST_CASE("frame pool: counts what is handed out and gives memory of the size asked for") {
  size_t base = FramePool::in_use();
  std::vector<std::pair<void*, size_t>> blocks;
  size_t total = 0;
  for (size_t size : {1, 8, 63, 64, 65, 128, 1000, 4095, 4096, 4097, 100'000}) {
    void* block = FramePool::allocate(size);
    memset(block, static_cast<int>(size), size);
    blocks.emplace_back(block, size);
    total += size;
  }
  CHECK(FramePool::in_use() == base + total);
  for (auto [block, size] : blocks) {
    CHECK(static_cast<unsigned char*>(block)[size - 1] == static_cast<unsigned char>(size));
    FramePool::release(block, size);
  }
  CHECK(FramePool::in_use() == base);
}

TEST_CASE("frame pool: a released block serves the next request of its class, the last one first") {
  void* one = FramePool::allocate(130);
  void* other = FramePool::allocate(190);
  FramePool::release(one, 130);
  FramePool::release(other, 190);
  CHECK(FramePool::allocate(150) == other);
  CHECK(FramePool::allocate(129) == one);
  FramePool::release(one, 129);
  FramePool::release(other, 150);
}

TEST_CASE("frame pool: threads do not share blocks or counts") {
  void* mine = FramePool::allocate(64);
  FramePool::release(mine, 64);
  size_t in_use_here = FramePool::in_use();
  size_t in_use_there = 1;
  void* theirs = nullptr;
  std::thread([&] {
    theirs = FramePool::allocate(64);
    in_use_there = FramePool::in_use();
    FramePool::release(theirs, 64);
  }).join();
  CHECK(in_use_there == 64);
  CHECK(theirs != mine);
  CHECK(FramePool::in_use() == in_use_here);
}
