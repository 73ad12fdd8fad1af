#include "agent/net/leaf_cache.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

constexpr WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15} + std::chrono::hours(12)};
const Validity ten_hours{noon - 1h, noon + 10h};

using Cache = LeafCache<int>;

void put(Cache& cache, std::string_view host, int leaf, WallTime now = noon) {
  const auto age = now - noon;
  cache.put(host, "p", std::make_shared<const int>(leaf), {ten_hours.not_before + age, ten_hours.not_after + age}, now);
}

int value(const Cache::Found& found) { return found.leaf == nullptr ? 0 : *found.leaf; }

}  // namespace

TEST_CASE("leaf cache: a leaf is found by the name asked for and the provider's certificate, both") {
  Cache cache;
  put(cache, "a.example.com", 1);
  CHECK(value(cache.find("a.example.com", "p", noon)) == 1);
  CHECK(value(cache.find("a.example.com", "q", noon)) == 0);
  CHECK(value(cache.find("b.example.com", "p", noon)) == 0);
  CHECK(value(cache.find("a.example.comp", "", noon)) == 0);
  CHECK(value(cache.find("", "p", noon)) == 0);
  put(cache, "", 2);
  CHECK(value(cache.find("", "p", noon)) == 2);
  CHECK(cache.size() == 2);
}

TEST_CASE("leaf cache: from half of its life on a leaf wants to be renewed, and its last tenth is not used") {
  Cache cache;
  put(cache, "a.example.com", 1);
  CHECK_FALSE(cache.find("a.example.com", "p", noon + 5h - 1ms).renew);
  CHECK(cache.find("a.example.com", "p", noon + 5h).renew);
  CHECK(value(cache.find("a.example.com", "p", noon + 9h - 1ms)) == 1);
  CHECK(cache.size() == 1);
  CHECK(value(cache.find("a.example.com", "p", noon + 9h)) == 0);
  CHECK(cache.size() == 0);
}

TEST_CASE("leaf cache: a renewed leaf takes the place of the old one, which lives on where it is used") {
  Cache cache;
  put(cache, "a.example.com", 1);
  const auto used = cache.find("a.example.com", "p", noon);
  put(cache, "a.example.com", 2, noon + 6h);
  CHECK(cache.size() == 1);
  const auto found = cache.find("a.example.com", "p", noon + 10h);
  CHECK(value(found) == 2);
  CHECK_FALSE(found.renew);
  CHECK(value(used) == 1);
}

TEST_CASE("leaf cache: a leaf from the future is not used after the clock was set back") {
  Cache cache;
  put(cache, "a.example.com", 1);
  CHECK(value(cache.find("a.example.com", "p", noon - 1h)) == 1);
  CHECK(value(cache.find("a.example.com", "p", noon - 1h - 1ms)) == 0);
}

TEST_CASE("leaf cache: the least recently used leaf goes first") {
  Cache cache(3);
  put(cache, "a", 1);
  put(cache, "b", 2);
  put(cache, "c", 3);
  CHECK(value(cache.find("a", "p", noon)) == 1);  // so b is the oldest now
  put(cache, "d", 4);
  CHECK(cache.size() == 3);
  CHECK(value(cache.find("b", "p", noon)) == 0);
  CHECK(value(cache.find("a", "p", noon)) == 1);
  CHECK(value(cache.find("c", "p", noon)) == 3);
  put(cache, "d", 5);
  put(cache, "e", 6);
  CHECK(value(cache.find("a", "p", noon)) == 0);
  CHECK(value(cache.find("d", "p", noon)) == 5);
}

TEST_CASE("leaf cache: it has a thousand places unless it is told otherwise, and may have none") {
  Cache usual;
  for (int i = 0; i < 1001; ++i) put(usual, std::to_string(i), i + 1);
  CHECK(usual.size() == 1000);
  CHECK(value(usual.find("0", "p", noon)) == 0);
  CHECK(value(usual.find("1000", "p", noon)) == 1001);
  Cache none(0);
  put(none, "a", 1);
  CHECK(none.size() == 0);
}
