#include "agent/admin/top.h"

#include <algorithm>
#include <vector>

#include "agent/admin/wire.h"
#include "agent/state/access_log_line.h"

namespace lunar::admin {
namespace {

bool is_error(const TransactionRecord& record) {
  const bool ended_badly = record.termination == Termination::provider_abort ||
                           record.termination == Termination::timeout || record.termination == Termination::refused;
  return ended_badly || record.status >= 500 || record.x_lunar_error != 0;
}

double milliseconds(uint64_t microseconds) { return static_cast<double>(microseconds) / 1000; }

}  // namespace

std::optional<TopGroup> top_group(std::string_view name) {
  for (size_t i = 0; i < wire::kTopGroups.size(); ++i) {
    if (wire::kTopGroups[i] == name) return static_cast<TopGroup>(i);
  }
  return std::nullopt;
}

void Top::Slot::add(const TransactionRecord& record) {
  errors += is_error(record) ? 1 : 0;
  bytes_in += record.bytes_in;
  bytes_out += record.bytes_out;
  if (record.opaque != OpaqueReason::none) {
    ++connections;
    return;
  }
  ++requests;
  latency.add(record.ended_ns > record.started_ns ? (record.ended_ns - record.started_ns) / 1000 : 0);
}

void Top::Slot::merge(const Slot& other) {
  requests += other.requests;
  connections += other.connections;
  errors += other.errors;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  latency.merge(other.latency);
}

void Top::add(const TransactionRecord& record, const Caller& caller, MonotonicTime now) {
  advance(now);
  count(TopGroup::host, host_of(record), record);
  name_ = caller.tag().empty() ? "-" : caller.tag();
  count(TopGroup::unit, name_, record);
  name_ = caller.pid == 0 ? "-" : caller.comm + "[" + std::to_string(caller.pid) + "]";
  count(TopGroup::process, name_, record);
}

void Top::count(TopGroup group, const std::string& name, const TransactionRecord& record) {
  Entries& known = entries(group);
  const auto found = known.find(name);
  if (found != known.end()) return found->second.now.add(record);
  static const std::string kOther = "other";
  known[known.size() < kNamesLimit ? name : kOther].now.add(record);
}

void Top::age(Entries& known, bool adjoining) {
  for (auto entry = known.begin(); entry != known.end();) {
    Slot& current = entry->second.now;
    if (!adjoining || current.requests + current.connections == 0) {
      entry = known.erase(entry);
      continue;
    }
    entry->second.before = current;
    current = {};
    ++entry;
  }
}

void Top::advance(MonotonicTime now) {
  if (now - slot_began_ < kSlot) return;
  const bool adjoining = now - slot_began_ < 2 * kSlot;
  for (Entries& known : groups_) age(known, adjoining);
  began_ = adjoining ? slot_began_ : now;
  slot_began_ = adjoining ? slot_began_ + kSlot : now;
}

nlohmann::json Top::rows(TopGroup by, MonotonicTime now) {
  advance(now);
  const double window = std::max(1.0, std::chrono::duration<double>(now - began_).count());
  std::vector<std::pair<const std::string*, Slot>> rows;
  for (const auto& [name, entry] : entries(by)) {
    rows.emplace_back(&name, entry.now);
    rows.back().second.merge(entry.before);
  }
  std::sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) {
    const auto weight = [](const Slot& slot) { return std::pair(slot.requests, slot.bytes_in + slot.bytes_out); };
    return weight(left.second) != weight(right.second) ? weight(left.second) > weight(right.second)
                                                       : *left.first < *right.first;
  });
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, slot] : rows) {
    list.push_back({{wire::key::kName, *name},
                    {wire::key::kRequests, slot.requests},
                    {wire::key::kRate, static_cast<double>(slot.requests) / window},
                    {wire::key::kConnections, slot.connections},
                    {wire::key::kErrors, slot.errors},
                    {wire::key::kP50, milliseconds(slot.latency.quantile_us(0.5))},
                    {wire::key::kP99, milliseconds(slot.latency.quantile_us(0.99))},
                    {wire::key::kBytesIn, slot.bytes_in},
                    {wire::key::kBytesOut, slot.bytes_out}});
  }
  return {{wire::key::kWindow, window}, {wire::key::kRows, std::move(list)}};
}

}  // namespace lunar::admin
