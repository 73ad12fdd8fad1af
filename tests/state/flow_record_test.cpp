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

std::vector<FlowRecord> take(FlowRecordQueue& queue) {
  FlowRecordQueue::Batch batch;
  queue.take(batch);
  return std::move(batch.records);
}

}  // namespace

TEST_CASE("flow record queue: wakes once until it has been emptied") {
  int wakes = 0;
  FlowRecordQueue queue([&] { ++wakes; });
  CHECK(take(queue).empty());
  CHECK(queue.try_push(a_record()));
  CHECK(queue.try_push(a_record()));
  CHECK(wakes == 1);
  CHECK(take(queue).size() == 2);
  CHECK(take(queue).empty());
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
  CHECK(take(queue).size() == 2);
  CHECK(queue.try_push(a_record()));
}

TEST_CASE("flow record queue: a record without room for its HAR entries is still counted") {
  FlowRecordQueue queue({.records = 10, .har_entries = 2}, {});
  CHECK(queue.try_push(a_record(2)));
  CHECK(queue.try_push(a_record(1, 1)));
  const auto taken = take(queue);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].emissions.size() == 2);
  REQUIRE(taken[1].emissions.size() == 1);
  CHECK(std::holds_alternative<emission::Span>(taken[1].emissions[0]));
  CHECK(queue.drops().har_entries == 1);
  CHECK(queue.drops().records == 0);
  CHECK(queue.try_push(a_record(2)));
  CHECK(queue.drops().har_entries == 1);
}

TEST_CASE("flow record queue: HAR entries are bounded by what they take as well, however few they are") {
  const auto text = std::make_shared<Json>(Json{{"response", {{"content", {{"text", std::string(40'000, 'x')}}}}}});
  auto with_entry = [&text] {
    FlowRecord record;
    record.emissions.emplace_back(emission::CaptureHar{.exporter = "file", .flow = "F", .entry = text});
    return record;
  };
  FlowRecordQueue queue({.har_entries = 10, .har_bytes = 100'000}, {});
  for (int i = 0; i < 3; ++i) CHECK(queue.try_push(with_entry()));
  CHECK(queue.drops().har_entries == 1);
  CHECK(queue.drops().records == 0);
  const auto taken = take(queue);
  REQUIRE(taken.size() == 3);
  CHECK(taken[1].emissions.size() == 1);
  CHECK(taken[2].emissions.empty());
  for (int i = 0; i < 2; ++i) CHECK(queue.try_push(with_entry()));
  CHECK(queue.drops().har_entries == 1);
}

TEST_CASE("flow record queue: records with large texts are bounded by what they take, whoever wrote the text") {
  const std::string large(40'000, 'x');
  std::vector<Emission> kinds;
  kinds.emplace_back(emission::Span{.attributes = {{"asked", large}}});
  kinds.emplace_back(emission::UserMetric{.labels = {{"asked", large}}});
  kinds.emplace_back(emission::ProcessorFailed{.reason = "script", .text = large});
  kinds.emplace_back(emission::ScriptFailed{.text = large});
  kinds.emplace_back(emission::Shadowed{.decision = large});
  for (const Emission& kind : kinds) {
    CAPTURE(kind.index());
    FlowRecordQueue queue({.records = 10, .record_bytes = 100'000}, {});
    FlowRecord record;
    record.emissions.push_back(kind);
    CHECK(queue.try_push(record));
    CHECK(queue.try_push(record));
    CHECK_FALSE(queue.try_push(record));
    CHECK(queue.drops().records == 1);
    CHECK(queue.try_push(a_record()));
    CHECK(take(queue).size() == 3);
    CHECK(queue.try_push(record));
  }
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
    const size_t got = take(queue).size();
    taken += got;
    batches += got > 0 ? 1 : 0;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(take(queue).empty());
  CHECK(static_cast<size_t>(wakes) == batches);
}

TEST_CASE("flow record queue: attempts that no metric tells apart add up, others stand apart") {
  int wakes = 0;
  FlowRecordQueue queue([&] { ++wakes; });
  const auto plan = std::make_shared<const Plan>(), reloaded = std::make_shared<const Plan>();
  const std::vector<SelectedFlow> flows{{.flow = 3, .params = {}}, {.flow = 5, .params = {}}};
  const std::vector<RunTime> steps{{3, 7, std::chrono::nanoseconds(20)}, {5, 9, std::chrono::nanoseconds(30)}};
  auto count = [&](const std::shared_ptr<const Plan>& by, std::string_view method, bool replay = false) {
    queue.count({.plan = by,
                 .method = method,
                 .host = "api.example.com",
                 .consumer_tag = "",
                 .replay = replay,
                 .flows = flows,
                 .steps = steps});
  };
  count(plan, "GET");
  count(plan, "GET");
  count(plan, "GET", true);
  count(plan, "POST");
  count(reloaded, "GET");
  CHECK(wakes == 0);
  FlowRecordQueue::Batch batch;
  queue.take(batch);
  CHECK(batch.records.empty());
  REQUIRE(batch.tallies.size() == 3);
  const FlowTally& gets = batch.tallies.at({plan.get(), "GET", "api.example.com", ""});
  CHECK(gets.plan == plan);
  CHECK(gets.requests == 2);
  CHECK(gets.flows.at(3).runs == 3);
  CHECK(gets.flows.at(5).spent == std::chrono::nanoseconds(90));
  CHECK(gets.instances.at(7).runs == 3);
  CHECK(gets.instances.at(7).spent == std::chrono::nanoseconds(60));
  CHECK(batch.tallies.at({plan.get(), "POST", "api.example.com", ""}).requests == 1);
  CHECK(batch.tallies.at({reloaded.get(), "GET", "api.example.com", ""}).requests == 1);
  queue.take(batch);
  CHECK(batch.tallies.empty());
}

TEST_CASE("flow record queue: tallies are bounded, and nothing goes uncounted") {
  FlowRecordQueue queue({.tallies = 2}, {});
  const auto plan = std::make_shared<const Plan>();
  const std::vector<SelectedFlow> flows{{.params = {}}};
  for (const char* host : {"a", "b", "c", "d", "a"})
    queue.count({.plan = plan, .method = "GET", .host = host, .consumer_tag = "", .flows = flows, .steps = {}});
  FlowRecordQueue::Batch batch;
  queue.take(batch);
  REQUIRE(batch.tallies.size() == 3);
  CHECK(batch.tallies.at({plan.get(), "GET", "a", ""}).requests == 2);
  CHECK(batch.tallies.at({plan.get(), "other", "other", "other"}).requests == 2);
}
