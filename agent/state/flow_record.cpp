#include "agent/state/flow_record.h"

#include <algorithm>
#include <utility>

#include "agent/state/record_memory.h"

namespace lunar {
namespace {

template <class Kind>
bool is(const Emission& emission) {
  return std::holds_alternative<Kind>(emission);
}

template <class Kind>
size_t count_of(const FlowRecord& record) {
  return static_cast<size_t>(std::ranges::count_if(record.emissions, is<Kind>));
}

}  // namespace

FlowRecordQueue::Load FlowRecordQueue::load_of(const FlowRecord& record) {
  Load out;
  out.bytes = sizeof(record) + record.facts.url.size() + record.facts.path.size();
  for (const Emission& one : record.emissions) {
    const bool har = is<emission::CaptureHar>(one);
    (har ? out.har_bytes : out.bytes) += memory_of(one);
    out.har_entries += har ? 1 : 0;
  }
  return out;
}

bool FlowRecordQueue::try_push(FlowRecord record) {
  const Load load = load_of(record);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.records.size() >= limits_.records || load_.bytes + load.bytes > limits_.record_bytes) {
      ++drops_.records;
      drops_.har_entries += load.har_entries;
      drops_.spans += count_of<emission::Span>(record);
      return false;
    }
    load_.bytes += load.bytes;
    if (load_.har_entries + load.har_entries > limits_.har_entries ||
        load_.har_bytes + load.har_bytes > limits_.har_bytes) {
      drops_.har_entries += load.har_entries;
      std::erase_if(record.emissions, is<emission::CaptureHar>);
    } else {
      load_.har_entries += load.har_entries;
      load_.har_bytes += load.har_bytes;
    }
    first = waiting_.records.empty();
    waiting_.records.push_back(std::move(record));
  }
  if (first && wake_) wake_();
  return true;
}

FlowTally& FlowRecordQueue::tally_of(const FlowRuns& runs) {
  FlowTallies& tallies = waiting_.tallies;
  const auto known = tallies.find(std::tuple(runs.plan.get(), runs.method, runs.host, runs.consumer_tag));
  if (known != tallies.end()) return known->second;
  const bool fits = tallies.size() < limits_.tallies;
  auto text = [fits](std::string_view value) { return std::string(fits ? value : "other"); };
  FlowTally& made = tallies[{runs.plan.get(), text(runs.method), text(runs.host), text(runs.consumer_tag)}];
  made.plan = runs.plan;
  return made;
}

void FlowRecordQueue::count(const FlowRuns& runs) {
  const std::lock_guard lock(mutex_);
  FlowTally& tally = tally_of(runs);
  if (!runs.replay && !runs.flows.empty()) ++tally.requests;
  for (const SelectedFlow& selected : runs.flows) ++tally.flows[selected.flow].runs;
  for (const RunTime& step : runs.steps) {
    tally.flows[step.flow].spent += step.spent;
    FlowTally::Use& use = tally.instances[step.instance];
    ++use.runs;
    use.spent += step.spent;
  }
}

void FlowRecordQueue::take(Batch& out) {
  out.records.clear();
  out.tallies.clear();
  const std::lock_guard lock(mutex_);
  std::swap(out, waiting_);
  load_ = {};
}

FlowRecordQueue::Drops FlowRecordQueue::drops() const {
  const std::lock_guard lock(mutex_);
  return drops_;
}

}  // namespace lunar
