#include "agent/net/secret.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

using namespace lunar;

namespace {

// The memory of a secret, looked at in the moment in which it is given back.
struct Watched {
  const char* bytes = nullptr;
  size_t size = 0;
  bool given_back = false;
  bool wiped = false;
} watched;

void give_back(void* memory) {
  if (memory != nullptr && memory == watched.bytes) {
    watched.given_back = true;
    watched.wiped = std::all_of(watched.bytes, watched.bytes + watched.size, [](char c) { return c == '\0'; });
    watched.bytes = nullptr;
  }
  std::free(memory);
}

void watch(const Secret& secret) { watched = {.bytes = secret.view().data(), .size = secret.view().size()}; }

}  // namespace

void* operator new[](size_t size) {
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory, size_t) noexcept { give_back(memory); }

TEST_CASE("secret: its memory is wiped before it is given back") {
  {
    const Secret secret({"private ", "key"});
    CHECK(secret.view() == "private key");
    watch(secret);
  }
  CHECK(watched.given_back);
  CHECK(watched.wiped);
}

TEST_CASE("secret: a moved one is the same memory, and what it replaces is wiped") {
  Secret one({"one"});
  Secret two({"two"});
  watch(one);
  const char* const memory = two.view().data();
  {
    Secret moved = std::move(two);
    CHECK(moved.view().data() == memory);
    one = std::move(moved);
    CHECK(one.view() == "two");
    CHECK(one.view().data() == memory);
  }
  CHECK(watched.given_back);
  CHECK(watched.wiped);
  watch(one);
  one = Secret();
  CHECK(one.view().empty());
  CHECK(watched.given_back);
  CHECK(watched.wiped);
}

TEST_CASE("secret: it is filled in place") {
  Secret one(3);
  std::ranges::copy(std::string("abc"), one.bytes().begin());
  CHECK(one.view() == "abc");
}
