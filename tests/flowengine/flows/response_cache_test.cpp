// The store of ReadCache and WriteCache (flows.md §7.6): bounded for each flow, the least recently used leaves first.
#include "flowengine/state/response_cache.h"

#include <doctest/doctest.h>

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{1'749'556'800s};

struct CacheScene {
  CacheScene() { cache.use_schemes({"F", "G"}); }

  void store(std::string_view key, size_t body, std::string_view flow = "F", std::chrono::seconds ttl = 60s) {
    auto response = std::make_shared<CachedResponse>();
    response->body.assign(body, 'x');
    response->expires = now + ttl;
    cache.store({.key = std::string(key),
                 .partition = std::string(flow),
                 .response = std::move(response),
                 .ttl = ttl,
                 .partition_limit = limit,
                 .instance = 0},
                std::string(flow));
  }
  bool has(std::string_view key, WallTime at = now) { return cache.find(key, at) != nullptr; }

  ResponseCache cache;
  int64_t limit = 10'000;
};

TEST_CASE("7.6: above its bound the least recently used entry of a flow leaves, and reading is using") {
  CacheScene scene;
  for (const char* key : {"a", "b", "c"}) scene.store(key, 3000);
  CHECK(scene.has("a"));
  scene.store("d", 3000);
  CHECK(scene.has("a"));
  CHECK_FALSE(scene.has("b"));
  CHECK(scene.has("c"));
  CHECK(scene.has("d"));
  CHECK(scene.cache.entries() == 3);
}

TEST_CASE("7.6: one large entry takes the place of as many as it needs") {
  CacheScene scene;
  for (const char* key : {"a", "b", "c"}) scene.store(key, 3000);
  scene.store("large", 6000);
  CHECK(scene.has("large"));
  CHECK(scene.has("c"));
  CHECK_FALSE(scene.has("a"));
  CHECK_FALSE(scene.has("b"));
  scene.store("too large", 20'000);
  CHECK(scene.cache.entries() == 0);
  CHECK(scene.cache.bytes() == 0);
}

TEST_CASE("7.6: each flow has a bound of its own") {
  CacheScene scene;
  for (const char* key : {"a", "b", "c"}) scene.store(key, 3000);
  for (const char* key : {"d", "e", "f"}) scene.store(key, 3000, "G");
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) CHECK(scene.has(key));
}

TEST_CASE("7.6: a smaller bound holds from the next entry on") {
  CacheScene scene;
  for (const char* key : {"a", "b", "c"}) scene.store(key, 3000);
  scene.limit = 5000;
  scene.store("d", 3000);
  CHECK(scene.cache.entries() == 1);
  CHECK(scene.has("d"));
}

TEST_CASE("7.6: an entry that is replaced or has expired takes no room") {
  CacheScene scene;
  scene.store("a", 3000);
  const size_t one = scene.cache.bytes();
  scene.store("a", 3000, "F", 30s);
  CHECK(scene.cache.bytes() == one);
  CHECK(scene.has("a", now + 30s - 1ms));
  CHECK_FALSE(scene.has("a", now + 30s));
  CHECK(scene.cache.entries() == 0);
  CHECK(scene.cache.bytes() == 0);
}

TEST_CASE("1.5: entries of a scheme that is no longer in use leave, and new ones of it are not taken") {
  CacheScene scene;
  scene.store("a", 3000);
  scene.store("d", 3000, "G");
  const size_t one = scene.cache.bytes() / 2;
  scene.cache.use_schemes({"G"});
  CHECK_FALSE(scene.has("a"));
  CHECK(scene.has("d"));
  CHECK(scene.cache.bytes() == one);
  scene.store("b", 3000);
  CHECK(scene.cache.entries() == 1);
  CHECK(scene.cache.bytes() == one);
  scene.cache.use_schemes({"F", "G"});
  CHECK_FALSE(scene.has("a"));
  CHECK_FALSE(scene.has("b"));
  scene.store("b", 3000);
  CHECK(scene.has("b"));
}

}  // namespace
}  // namespace lunar
