// What belongs to the streams of one connection, by id. Few, looked up for every frame, and new ids are higher: a
// sorted array, without an allocation for each.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/http/h2_events.h"

namespace lunar::http {

// In the order of ids. References end with the next change.
template <class Value>
class H2StreamMap {
 public:
  using Entry = std::pair<StreamId, Value>;

  [[nodiscard]] const Value* find(StreamId id) const {
    auto at = place(id);
    return at != entries_.end() && at->first == id ? &at->second : nullptr;
  }
  // `id` is not there yet.
  Value& add(StreamId id, Value value) { return entries_.emplace(place(id), id, std::move(value))->second; }
  // `id` is there.
  Value take(StreamId id) {
    auto at = entries_.begin() + (place(id) - entries_.cbegin());
    Value value = std::move(at->second);
    entries_.erase(at);
    return value;
  }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }

 private:
  [[nodiscard]] auto place(StreamId id) const { return std::ranges::lower_bound(entries_, id, {}, &Entry::first); }

  std::vector<Entry> entries_;
};

}  // namespace lunar::http
