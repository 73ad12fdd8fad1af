// HAR entries that come faster than they can be written: what they cost, and where those that are lost show.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/state/flow_reports.h"
#include "agent/state/record_memory.h"
#include "tests/state/directory.h"
#include "tests/state/flow_calls.h"
#include "tests/state/metrics_page.h"

using namespace lunar;

namespace {

constexpr size_t text_size = 1000;
constexpr unsigned pushers = 4;
constexpr size_t each = 3000;

// Entries that count themselves while they are alive.
class Entries {
 public:
  [[nodiscard]] std::shared_ptr<Json> make() {
    auto* entry = new Json{{"startedDateTime", "2025-06-15T00:00:00.000Z"},
                           {"request", {{"method", "GET"}, {"url", std::string(text_size, 'u')}}},
                           {"response", {{"status", 200}}},
                           {"_lunar", {{"request_id", "r"}}}};
    const size_t alive = ++alive_;
    size_t most = most_;
    while (most < alive && !most_.compare_exchange_weak(most, alive)) {
    }
    return {entry, [this](Json* one) {
              delete one;
              --alive_;
            }};
  }
  [[nodiscard]] size_t alive() const { return alive_; }
  [[nodiscard]] size_t most() const { return most_; }

 private:
  std::atomic<size_t> alive_ = 0, most_ = 0;
};

struct Flood {
  Flood(FlowRecordQueue::Limits limits, const std::string& path)
      : queue(limits, {}), reports(queue), plan(plan_of({everything()})), instance(instance_of(*plan, "Record")) {
    reports.metrics().set_plan(plan, nullptr);
    reports.set_har_file(std::make_unique<HarFile>(HarFileOptions{.path = path}));
  }
  void push() {
    CHECK(queue.try_push(
        with(plan, {emission::CaptureHar{
                       .exporter = "file", .flow = "Everything", .entry = entries.make(), .instance = instance}})));
  }
  void push_from_all_sides() {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < pushers; ++i)
      threads.emplace_back([this] {
        for (size_t n = 0; n < each; ++n) push();
        ++finished;
      });
    while (finished < pushers) reports.drain(start.steady);
    for (std::thread& thread : threads) thread.join();
    reports.drain(start.steady);
  }
  [[nodiscard]] MetricsPage page() {
    return metrics_page([&](MetricText& text) { reports.write(text, {}); });
  }

  Entries entries;
  FlowRecordQueue queue;
  FlowReports reports;
  std::shared_ptr<const Plan> plan;
  uint32_t instance;
  std::atomic<unsigned> finished = 0;
};

}  // namespace

TEST_CASE("HAR flood: what waits for a slow admin thread is bounded, and each entry is written or counted") {
  constexpr size_t most = 50;
  const Directory directory;
  Flood flood({.records = 1'000'000, .har_entries = most}, directory.file("har"));
  for (size_t i = 0; i < 3 * most; ++i) flood.push();
  CHECK(flood.entries.alive() == most);
  CHECK(flood.queue.drops().har_entries == 2 * most);

  flood.push_from_all_sides();
  CHECK(flood.entries.alive() == 0);
  // What waits, as many in the hands of the admin thread, and one in those of each worker.
  CHECK(flood.entries.most() <= 2 * most + pushers);
  REQUIRE(flood.reports.har_file()->flush());
  const size_t written = lines_of(directory.file("har")).size();
  const MetricsPage page = flood.page();
  const double dropped = page.value("lunar_flow_records_dropped_total", {R"(kind="har")"});
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="file")"}) == 0);
  CHECK(page.value("lunar_flow_records_dropped_total", {R"(kind="record")"}) == 0);
  CHECK(static_cast<double>(written) + dropped == 3 * most + pushers * each);
}

TEST_CASE("HAR flood: large entries wait by what they take and not by their number") {
  const Directory directory;
  Entries sample;
  const size_t one = memory_of(Emission(emission::CaptureHar{.entry = sample.make()}));
  Flood flood({.har_bytes = 10 * one + 200}, directory.file("har"));
  for (int i = 0; i < 30; ++i) flood.push();
  CHECK(flood.entries.alive() == 10);
  CHECK(flood.page().value("lunar_flow_records_dropped_total", {R"(kind="har")"}) == 20);
}

TEST_CASE("HAR flood: a disk that is full or gone costs entries that are counted, and no memory") {
  constexpr size_t most = 100;
  const Directory directory;
  Flood flood({.records = 1'000'000, .har_entries = most}, directory.file("har"));
  double dropped = 0;
  size_t written = 0;
  {
    const FileSizeLimit full(20 * text_size);
    flood.push_from_all_sides();
    CHECK_FALSE(flood.reports.har_file()->flush());
    CHECK(flood.entries.alive() == 0);
    CHECK(flood.entries.most() <= 2 * most + pushers);
    written = lines_of(directory.file("har")).size();
    const MetricsPage page = flood.page();
    const double by_disk = page.value("lunar_exporter_dropped_total", {R"(exporter="file")"});
    dropped = by_disk + page.value("lunar_flow_records_dropped_total", {R"(kind="har")"});
    CHECK(by_disk > 0);
  }
  CHECK(written > 0);
  CHECK(std::filesystem::file_size(directory.file("har")) <= 20 * text_size);
  CHECK(static_cast<double>(written) + dropped == pushers * each);

  flood.push();
  flood.reports.drain(start.steady);
  REQUIRE(flood.reports.har_file()->flush());
  CHECK(lines_of(directory.file("har")).size() == written + 1);
}
