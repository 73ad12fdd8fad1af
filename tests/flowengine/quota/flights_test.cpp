#include "flowengine/quota/flights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <vector>

using namespace lunar;

TEST_CASE("flights: a transaction is in once, and keeps its time") {
  Flights flights;
  CHECK_FALSE(flights.contains(TransactionId{1}));
  CHECK_FALSE(flights.erase(TransactionId{1}));
  CHECK(flights.insert(TransactionId{1}, SteadyTime(std::chrono::seconds(1))));
  CHECK_FALSE(flights.insert(TransactionId{1}, SteadyTime(std::chrono::seconds(2))));
  CHECK(flights.size() == 1);
  CHECK(flights.oldest().since == SteadyTime(std::chrono::seconds(1)));
  CHECK(flights.erase(TransactionId{1}));
  CHECK(flights.empty());
}

TEST_CASE("flights: members and order agree with a plain list over many changes") {
  Flights flights;
  std::vector<uint64_t> model;
  uint64_t state = 7;
  for (int step = 0; step < 20'000; ++step) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    uint64_t id = (state >> 33) % 97 * 0x100000001ULL;  // many share a bucket
    auto found = std::ranges::find(model, id);
    if ((state >> 60) % 2 == 0) {
      CHECK(flights.insert(TransactionId{id}, SteadyTime()) == (found == model.end()));
      if (found == model.end()) model.push_back(id);
    } else {
      CHECK(flights.erase(TransactionId{id}) == (found != model.end()));
      if (found != model.end()) model.erase(found);
    }
    REQUIRE(flights.size() == model.size());
    if (step % 50 != 0) continue;
    for (size_t i = 0; i < model.size(); ++i) REQUIRE(flights.oldest(i).transaction == TransactionId{model[i]});
  }
}
