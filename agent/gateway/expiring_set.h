// Texts that are remembered for a while.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/base/clock.h"

namespace lunar::gateway {

// Bounded: when it is full, those go first that would be forgotten next. From any thread.
class ExpiringSet {
 public:
  explicit ExpiringSet(size_t limit = 4096) : limit_(limit) {}

  // False: it was there already; then it stays until the later of both moments.
  bool add(const std::string& text, MonotonicTime until, MonotonicTime now);
  [[nodiscard]] bool contains(const std::string& text, MonotonicTime now) const;
  [[nodiscard]] size_t size() const;
  // Those that are still there, with the moments at which they will be forgotten.
  [[nodiscard]] std::vector<std::pair<std::string, MonotonicTime>> list(MonotonicTime now) const;

 private:
  const size_t limit_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, MonotonicTime> until_;
};

}  // namespace lunar::gateway
