// Who a connection belongs to: from the pid in its origin to program, unit and container. Reads /proc, so only on
// the admin thread.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/redirect/cgroup_names.h"
#include "agent/redirect/original_dst.h"

namespace lunar {

struct Process {
  uint32_t pid = 0;
  uint32_t uid = 0;
  std::string comm;
  std::string exe;
  std::string cgroup;     // path below the cgroup2 mount
  std::string unit;       // systemd unit, unescaped: "foo-bar.service"
  std::string container;  // id, or name for machines
};

class Attribution {
 public:
  // /proc/PID/exe of other users needs CAP_SYS_PTRACE, which a gateway has not: `exe_of` may ask who has it. Empty
  // result: the path that the process was started by, where it is absolute, stands in.
  using ExeOf = std::function<std::string(uint32_t pid)>;
  explicit Attribution(size_t capacity = 4096, ExeOf exe_of = {});

  // Never fails: what cannot be learnt (the process is gone) stays empty; comm, uid and cgroup come from the origin.
  // The reference is valid until the next call.
  [[nodiscard]] const Process& resolve(const Origin& origin);

 private:
  struct Key {
    uint32_t pid;
    uint64_t start_ns;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept {
      return std::hash<uint64_t>{}(key.start_ns ^ (uint64_t{key.pid} << 40U));
    }
  };
  using Entries = std::list<std::pair<Key, Process>>;  // most recently used first

  [[nodiscard]] Process read(const Origin& origin);
  void read_process(const Origin& origin, Process& out) const;
  [[nodiscard]] const std::string& cgroup_of(const Origin& origin);

  size_t capacity_;
  std::string cgroup_mount_;
  std::unordered_map<uint64_t, std::string> cgroups_;  // by id, which is never given twice; "": was gone already
  ExeOf exe_of_;
  Entries entries_;
  std::unordered_map<Key, Entries::iterator, KeyHash> index_;
};

}  // namespace lunar
