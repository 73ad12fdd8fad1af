#include "agent/gateway/expiring_set.h"

#include <algorithm>
#include <iterator>

namespace lunar::gateway {

bool ExpiringSet::add(const std::string& text, MonotonicTime until, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  if (auto known = until_.find(text); known != until_.end()) {
    const bool lasting = known->second > now;
    known->second = std::max(known->second, until);
    return !lasting;
  }
  if (until_.size() >= limit_) std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  if (until_.size() >= limit_)
    until_.erase(std::ranges::min_element(until_, {}, [](const auto& entry) { return entry.second; }));
  until_.emplace(text, until);
  return true;
}

bool ExpiringSet::contains(const std::string& text, MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  auto known = until_.find(text);
  return known != until_.end() && known->second > now;
}

std::vector<std::pair<std::string, MonotonicTime>> ExpiringSet::list(MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, MonotonicTime>> out;
  std::ranges::copy_if(until_, std::back_inserter(out), [now](const auto& entry) { return entry.second > now; });
  return out;
}

size_t ExpiringSet::size() const {
  const std::lock_guard lock(mutex_);
  return until_.size();
}

}  // namespace lunar::gateway
