#include "agent/state/flow_record.h"

#include <algorithm>
#include <utility>

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

bool FlowRecordQueue::try_push(FlowRecord record) {
  const size_t entries = count_of<emission::CaptureHar>(record);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (records_.size() >= limits_.records) {
      ++drops_.records;
      drops_.har_entries += entries;
      drops_.spans += count_of<emission::Span>(record);
      return false;
    }
    if (har_entries_ + entries > limits_.har_entries) {
      drops_.har_entries += entries;
      std::erase_if(record.emissions, is<emission::CaptureHar>);
    } else {
      har_entries_ += entries;
    }
    first = records_.empty();
    records_.push_back(std::move(record));
  }
  if (first && wake_) wake_();
  return true;
}

std::vector<FlowRecord> FlowRecordQueue::take() {
  std::vector<FlowRecord> taken;
  const std::lock_guard lock(mutex_);
  taken.swap(records_);
  har_entries_ = 0;
  return taken;
}

FlowRecordQueue::Drops FlowRecordQueue::drops() const {
  const std::lock_guard lock(mutex_);
  return drops_;
}

}  // namespace lunar
