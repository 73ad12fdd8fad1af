// What the flows of attempts leave for the admin thread, and the queue on which workers hand it over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "agent/state/call_facts.h"
#include "flowengine/run/execution.h"

namespace lunar {

// The end of a stay in a waiting line.
struct QueueStay {
  uint32_t instance = 0;
  int64_t priority = 0;
  std::string group;
  bool expired = false;  // its ttl was over
  std::chrono::nanoseconds waited{}, ttl{};
};

// What one attempt leaves beside its runs; most leave nothing.
struct FlowRecord {
  std::shared_ptr<const Plan> plan;  // with which the attempt ran: emissions count by its indexes
  CallFacts facts;
  std::vector<Emission> emissions;
  std::vector<QueueStay> stays;

  [[nodiscard]] bool empty() const { return emissions.empty() && stays.empty(); }
};

// The flows and processors that ran in one attempt. Views for the time of a call.
struct FlowRuns {
  const std::shared_ptr<const Plan>& plan;
  std::string_view method, host, consumer_tag;
  bool replay = false;                  // of a request that was counted
  std::span<const SelectedFlow> flows;  // whose request side ran
  std::span<const RunTime> steps;
};

// The same summed up over attempts that no metric tells apart.
struct FlowTally {
  struct Use {
    uint64_t runs = 0;
    std::chrono::nanoseconds spent{};
  };
  std::shared_ptr<const Plan> plan;
  uint64_t requests = 0;              // without replays
  std::map<uint32_t, Use> flows;      // by index in the plan; `runs` counts request sides
  std::map<uint32_t, Use> instances;  //
};
// By plan, method, host, consumer tag.
using FlowTallies = std::map<std::tuple<const Plan*, std::string, std::string, std::string>, FlowTally, std::less<>>;

// Workers push, the admin thread takes. Bounded: what does not fit is dropped and counted, since waiting for a slow
// disk would delay traffic. The lock is held for a few moves.
class FlowRecordQueue {
 public:
  // Of what waits; the taker has as much in its hands at most. Bytes as memory_of() estimates them.
  struct Limits {
    size_t records = 8192;
    size_t record_bytes = 32 * 1024 * 1024;  // without HAR entries
    size_t har_entries = 1024;               // the largest things of a record; without them it is still counted
    size_t har_bytes = 64 * 1024 * 1024;
    size_t tallies = 4096;  // what comes later counts under `other`
  };
  struct Drops {
    uint64_t records = 0;  // with all that was in them
    uint64_t har_entries = 0;
    uint64_t spans = 0;
  };
  // Memory goes back and forth between its two sides.
  struct Batch {
    std::vector<FlowRecord> records;
    FlowTallies tallies;
  };

  // `wake` is called by a pusher, outside of the lock, when the first record is there; it must not block or throw.
  // Tallies wait until somebody wants to see them.
  explicit FlowRecordQueue(std::function<void()> wake) : FlowRecordQueue(Limits{}, std::move(wake)) {}
  FlowRecordQueue(Limits limits, std::function<void()> wake) : limits_(limits), wake_(std::move(wake)) {}

  bool try_push(FlowRecord record);  // false: it was dropped
  void count(const FlowRuns& runs);
  void take(Batch& out);  // what it held before is dropped
  [[nodiscard]] Drops drops() const;

 private:
  struct Load {
    size_t bytes = 0;  // without HAR entries
    size_t har_entries = 0, har_bytes = 0;
  };
  [[nodiscard]] static Load load_of(const FlowRecord& record);
  [[nodiscard]] FlowTally& tally_of(const FlowRuns& runs);

  const Limits limits_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  Batch waiting_;
  Load load_;  // of what waits
  Drops drops_;
};

}  // namespace lunar
