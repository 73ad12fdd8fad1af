#include "agent/uring/page_pool.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

using lunar::uring::PagePool;

namespace {

constexpr size_t pages = PagePool::block_size / PagePool::page_size;
using Pages = std::array<bool, pages>;

Pages in_memory(void* block) {
  std::array<unsigned char, pages> seen{};
  REQUIRE(mincore(block, PagePool::block_size, seen.data()) == 0);
  Pages out{};
  std::ranges::transform(seen, out.begin(), [](unsigned char one) { return (one & 1) != 0; });
  return out;
}

}  // namespace

TEST_CASE("page pool: what is not touched is no memory, and nothing is that was released") {
  void* block = PagePool::allocate();
  REQUIRE(block != nullptr);
  CHECK(in_memory(block) == Pages{});
  memset(block, 1, 100);
  CHECK(in_memory(block) == Pages{true});
  PagePool::release(block);
  CHECK(in_memory(block) == Pages{});
  REQUIRE(PagePool::allocate() == block);
  CHECK(*static_cast<const char*>(block) == 0);
  PagePool::release(block);
}

TEST_CASE("page pool: blocks lie beside each other, and are used again") {
  constexpr size_t many = 1000;
  auto take = [] {
    std::vector<char*> out(many);
    for (char*& block : out) {
      block = static_cast<char*>(PagePool::allocate());
      REQUIRE(block != nullptr);
      memset(block, 1, 1);
      memset(block + PagePool::block_size - 1, 1, 1);
    }
    return out;
  };
  const std::vector<char*> first = take();
  std::set<char*> known(first.begin(), first.end());
  CHECK(known.size() == many);
  for (auto one = known.begin(), next = std::next(one); next != known.end(); ++one, ++next)
    CHECK(*next - *one >= static_cast<ptrdiff_t>(PagePool::block_size));
  for (char* block : first) PagePool::release(block);
  const std::vector<char*> again = take();
  CHECK(std::ranges::all_of(again, [&known](char* block) { return known.contains(block); }));
  for (char* block : again) PagePool::release(block);
}
