#include "flowengine/state/response_cache.h"

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

void ResponseCache::store(const emission::WriteCache& written) {
  if (auto known = by_key_.find(written.key); known != by_key_.end()) remove(known->second);
  Partition& partition = partitions_[written.partition];
  partition.entries.push_front(
      {written.key, written.partition, written.response, written.response->bytes() + written.key.size()});
  auto entry = partition.entries.begin();
  by_key_.emplace(entry->key, entry);
  partition.bytes += entry->bytes;
  bytes_ += entry->bytes;
  while (partition.bytes > static_cast<size_t>(written.partition_limit) && !partition.entries.empty())
    remove(std::prev(partition.entries.end()));
}

void ResponseCache::keep_flows(const std::unordered_set<std::string_view>& names) {
  std::erase_if(partitions_, [&](const auto& partition) {
    if (names.contains(partition.first)) return false;
    for (const Entry& entry : partition.second.entries) by_key_.erase(entry.key);
    bytes_ -= partition.second.bytes;
    return true;
  });
}

void ResponseCache::remove(std::list<Entry>::iterator entry) {
  Partition& partition = partitions_[entry->partition];
  partition.bytes -= entry->bytes;
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  partition.entries.erase(entry);
}

}  // namespace lunar
