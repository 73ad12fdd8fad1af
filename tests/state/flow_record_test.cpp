#include "agent/state/flow_record.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace lunar;

namespace {

FlowRecord a_record(size_t har_entries = 0, size_t spans = 0) {
  FlowRecord record;
  for (size_t i = 0; i < har_entries; ++i) record.emissions.emplace_back(emission::CaptureHar{});
  for (size_t i = 0; i < spans; ++i) record.emissions.emplace_back(emission::Span{});
  return record;
}

}  // namespace

TEST_CASE("flow record queue: wakes once until it has been emptied") {
  int wakes = 0;
  FlowRecordQueue queue([&] { ++wakes; });
  CHECK(queue.take().empty());
  CHECK(queue.try_push(a_record()));
  CHECK(queue.try_push(a_record()));
  CHECK(wakes == 1);
  CHECK(queue.take().size() == 2);
  CHECK(queue.take().empty());
  CHECK(queue.try_push(a_record()));
  CHECK(wakes == 2);
}

TEST_CASE("flow record queue: what does not fit is dropped and counted by kind, and room comes back") {
  FlowRecordQueue queue({.records = 2, .har_entries = 10}, {});
  CHECK(queue.try_push(a_record()));
  CHECK(queue.try_push(a_record()));
  CHECK_FALSE(queue.try_push(a_record(1, 2)));
  CHECK(queue.drops().records == 1);
  CHECK(queue.drops().har_entries == 1);
  CHECK(queue.drops().spans == 2);
  CHECK(queue.take().size() == 2);
  CHECK(queue.try_push(a_record()));
}

TEST_CASE("flow record queue: a record without room for its HAR entries is still counted") {
  FlowRecordQueue queue({.records = 10, .har_entries = 2}, {});
  CHECK(queue.try_push(a_record(2)));
  CHECK(queue.try_push(a_record(1, 1)));
  const auto taken = queue.take();
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].emissions.size() == 2);
  REQUIRE(taken[1].emissions.size() == 1);
  CHECK(std::holds_alternative<emission::Span>(taken[1].emissions[0]));
  CHECK(queue.drops().har_entries == 1);
  CHECK(queue.drops().records == 0);
  CHECK(queue.try_push(a_record(2)));
  CHECK(queue.drops().har_entries == 1);
}

TEST_CASE("flow record queue: nothing is lost between many pushers and one taker") {
  constexpr int pushers = 4;
  constexpr int each = 5000;
  std::atomic<int> wakes = 0;
  FlowRecordQueue queue({.records = pushers * each, .har_entries = 0}, [&] { ++wakes; });
  std::vector<std::thread> threads;
  for (int i = 0; i < pushers; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) CHECK(queue.try_push(a_record()));
    });
  }
  size_t taken = 0;
  size_t batches = 0;
  while (taken < size_t{pushers} * each) {
    const size_t got = queue.take().size();
    taken += got;
    batches += got > 0 ? 1 : 0;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(queue.take().empty());
  CHECK(static_cast<size_t>(wakes) == batches);
}
