// What the flows of one attempt leave for the admin thread, and the queue on which workers hand it over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
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

struct FlowRecord {
  std::shared_ptr<const Plan> plan;  // with which the attempt ran: emissions count by its indexes
  CallFacts facts;
  std::vector<Emission> emissions;
  std::vector<uint32_t> flows;  // that were selected, in request order
  std::vector<RunTime> steps;
  std::vector<QueueStay> stays;
};

// Workers push, the admin thread takes. Bounded: what does not fit is dropped and counted, since waiting for a slow
// disk would delay traffic. The lock is held for a few moves.
class FlowRecordQueue {
 public:
  struct Limits {
    size_t records = 8192;
    size_t har_entries = 1024;  // the largest things of a record; without them it is still counted
  };
  struct Drops {
    uint64_t records = 0;  // with all that was in them
    uint64_t har_entries = 0;
    uint64_t spans = 0;
  };

  // `wake` is called by a pusher, outside of the lock, when the queue stops being empty; it must not block or throw.
  explicit FlowRecordQueue(std::function<void()> wake) : FlowRecordQueue(Limits{}, std::move(wake)) {}
  FlowRecordQueue(Limits limits, std::function<void()> wake) : limits_(limits), wake_(std::move(wake)) {}

  bool try_push(FlowRecord record);  // false: it was dropped
  [[nodiscard]] std::vector<FlowRecord> take();
  [[nodiscard]] Drops drops() const;

 private:
  const Limits limits_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::vector<FlowRecord> records_;
  size_t har_entries_ = 0;
  Drops drops_;
};

}  // namespace lunar
