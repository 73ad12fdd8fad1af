// Who called, as the texts that log lines, metrics and `top` need: made once for each process, not for each request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "agent/base/transaction.h"
#include "agent/redirect/attribution.h"

namespace lunar::admin {

struct Caller {
  uint32_t pid = 0;
  std::string comm;
  std::string unit;
  std::string container;
  std::string process_json;   // {"pid",..}; members that are not known are missing
  std::string metric_labels;  // comm, unit and container

  // The default of the consumer tag: the systemd unit, else the container; empty: neither.
  [[nodiscard]] const std::string& tag() const { return unit.empty() ? container : unit; }
};

class Callers {
 public:
  explicit Callers(Attribution::ExeOf program_of = {}, size_t capacity = 4096)
      : capacity_(capacity), attribution_(capacity, std::move(program_of)) {}

  // Valid until the next call.
  [[nodiscard]] const Caller& find(const TransactionRecord& record);

 private:
  struct Key {
    uint32_t pid;
    uint64_t started_ns;
    uint64_t cgroup_id;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return key.pid * 0x9E3779B97F4A7C15ULL ^ key.started_ns ^ key.cgroup_id; }
  };

  size_t capacity_;
  Attribution attribution_;
  std::unordered_map<Key, Caller, Hash> known_;
};

// Pure: how a process is written down.
[[nodiscard]] Caller describe(const Process& process);

}  // namespace lunar::admin
