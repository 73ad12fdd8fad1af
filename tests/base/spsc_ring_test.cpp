#include "agent/base/spsc_ring.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/transaction.h"

using namespace lunar;

namespace {
struct Number {
  uint64_t value = 7;
};

bool push(SpscRing<Number>& ring, uint64_t value) {
  Number* slot = ring.claim();
  if (slot == nullptr) return false;
  slot->value = value;
  ring.publish();
  return true;
}

std::vector<uint64_t> drain(SpscRing<Number>& ring, size_t limit = SIZE_MAX) {
  std::vector<uint64_t> out;
  ring.drain(limit, [&](const Number& number) { out.push_back(number.value); });
  return out;
}
}  // namespace

TEST_CASE("spsc ring: a claimed record is fresh, and invisible until it is published") {
  SpscRing<Number> ring(2);
  REQUIRE(push(ring, 1));
  CHECK(drain(ring) == std::vector<uint64_t>{1});
  REQUIRE(push(ring, 2));
  CHECK(drain(ring) == std::vector<uint64_t>{2});
  Number* again = ring.claim();
  REQUIRE(again != nullptr);
  CHECK(again->value == 7);
  CHECK(drain(ring).empty());
  ring.publish();
  CHECK(drain(ring) == std::vector<uint64_t>{7});
}

TEST_CASE("spsc ring: drops and counts what does not fit, and keeps the oldest") {
  SpscRing<Number> ring(3);
  CHECK(ring.capacity() == 4);
  for (uint64_t i = 0; i < 4; ++i) CHECK(push(ring, i));
  CHECK_FALSE(push(ring, 4));
  CHECK_FALSE(push(ring, 5));
  CHECK(ring.lost() == 2);
  CHECK(drain(ring, 1) == std::vector<uint64_t>{0});
  CHECK(push(ring, 6));
  CHECK(drain(ring) == std::vector<uint64_t>{1, 2, 3, 6});
}

TEST_CASE("spsc ring: two threads see every record once and in order") {
  SpscRing<Number> ring(64);
  constexpr uint64_t kCount = 200'000;
  std::thread producer([&] {
    for (uint64_t i = 0; i < kCount;) {
      if (push(ring, i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint64_t expected = 0;
  bool ordered = true;
  while (expected < kCount) {
    ring.drain(SIZE_MAX, [&](const Number& number) { ordered = ordered && number.value == expected++; });
  }
  producer.join();
  CHECK(ordered);
}

TEST_CASE("transaction record: keeps texts, drops the query string, cuts what does not fit") {
  TransactionRecord record;
  record.set(TransactionText::method, "GET");
  record.set(TransactionText::host, "api.example.com:8080");
  record.set(TransactionText::path, "/v1/orders?token=secret");
  CHECK(record.get(TransactionText::method) == "GET");
  CHECK(record.get(TransactionText::host) == "api.example.com:8080");
  CHECK(record.get(TransactionText::path) == "/v1/orders");
  CHECK(record.get(TransactionText::consumer_tag).empty());
  CHECK_FALSE(record.truncated);
  CHECK(std::string(record.bytes.data(), record.text_used).find("secret") == std::string::npos);

  TransactionRecord long_one;
  long_one.set(TransactionText::method, "GET");
  long_one.set(TransactionText::path, "/" + std::string(1000, 'p'));
  CHECK(long_one.truncated);
  CHECK(long_one.get(TransactionText::path).size() == TransactionRecord::kTextBytes - 3);
  CHECK(long_one.get(TransactionText::method) == "GET");
}
