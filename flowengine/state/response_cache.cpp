#include "flowengine/state/response_cache.h"

#include <iterator>
#include <utility>

namespace lunar {

std::shared_ptr<const CachedResponse> ResponseCache::find(std::string_view key, WallTime now) {
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  auto entry = found->second;
  if (entry->response->expires <= now) {
    remove(entry);
    return nullptr;
  }
  auto& entries = partitions_[entry->partition].entries;
  entries.splice(entries.begin(), entries, entry);
  return entry->response;
}

void ResponseCache::store(const emission::WriteCache& written, const std::string& scheme) {
  if (!schemes_.contains(scheme)) return;
  if (auto known = by_key_.find(written.key); known != by_key_.end()) remove(known->second);
  Partition& partition = partitions_[written.partition];
  partition.entries.push_front(
      {written.key, written.partition, scheme, written.response, written.response->bytes() + written.key.size()});
  auto entry = partition.entries.begin();
  by_key_.emplace(entry->key, entry);
  partition.bytes += entry->bytes;
  bytes_ += entry->bytes;
  while (partition.bytes > static_cast<size_t>(written.partition_limit) && !partition.entries.empty())
    remove(std::prev(partition.entries.end()));
}

void ResponseCache::use_schemes(std::set<std::string> schemes) {
  schemes_ = std::move(schemes);
  for (auto& [flow, partition] : partitions_) {
    for (auto entry = partition.entries.begin(); entry != partition.entries.end();) {
      const auto next = std::next(entry);
      if (!schemes_.contains(entry->scheme)) remove(entry);
      entry = next;
    }
  }
  std::erase_if(partitions_, [](const auto& partition) { return partition.second.entries.empty(); });
}

void ResponseCache::remove(std::list<Entry>::iterator entry) {
  Partition& partition = partitions_[entry->partition];
  partition.bytes -= entry->bytes;
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  partition.entries.erase(entry);
}

}  // namespace lunar
