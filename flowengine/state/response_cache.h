// Responses that WriteCache kept, for ReadCache (flows.md §7.6): bounded for each flow, the least recently used go
// first. Not thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flowengine/run/effect.h"

namespace lunar {

class ResponseCache {
 public:
  // Null: there is none, or it has expired.
  [[nodiscard]] std::shared_ptr<const CachedResponse> find(std::string_view key, WallTime now);
  // Takes nothing of a scheme (Processor::cache_scheme) that is not in use: it comes from a call that began before a
  // reload, and nobody could find it, or only once it is out of date.
  void store(const emission::WriteCache& entry, const std::string& scheme);
  // From now on these are in use. Forgets the entries of all others.
  void use_schemes(std::set<std::string> schemes);

  [[nodiscard]] size_t entries() const { return by_key_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key, partition, scheme;
    std::shared_ptr<const CachedResponse> response;
    size_t bytes = 0;
  };
  struct Partition {
    std::list<Entry> entries;  // most recently used first
    size_t bytes = 0;
  };
  void remove(std::list<Entry>::iterator entry);

  std::set<std::string> schemes_;
  std::unordered_map<std::string, Partition> partitions_;  // by flow
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  size_t bytes_ = 0;
};

}  // namespace lunar
