// The hook as named file descriptors: what the kernel holds for us.
#pragma once

#include <bpf/bpf.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/fd.h"
#include "agent/redirect/hook.h"
#include "flowengine/result.h"

namespace lunar {

struct HookProgram {
  std::string_view name;
  bpf_attach_type type;
  bool quic_only;
};

inline constexpr std::array<HookProgram, 9> hook_programs{{
    // The socket events first: a connect that is redirected must find them in place.
    {"socket-events", BPF_CGROUP_SOCK_OPS, false},
    {"getpeername4", BPF_CGROUP_INET4_GETPEERNAME, false},
    {"getpeername6", BPF_CGROUP_INET6_GETPEERNAME, false},
    {"getsockname4", BPF_CGROUP_INET4_GETSOCKNAME, false},
    {"getsockname6", BPF_CGROUP_INET6_GETSOCKNAME, false},
    {"connect4", BPF_CGROUP_INET4_CONNECT, false},
    {"connect6", BPF_CGROUP_INET6_CONNECT, false},
    {"sendmsg4", BPF_CGROUP_UDP4_SENDMSG, true},
    {"sendmsg6", BPF_CGROUP_UDP6_SENDMSG, true},
}};

inline constexpr std::array<std::string_view, 14> hook_maps{
    "settings", "heartbeats", "breaker",     "counters", "policies", "bypass4", "bypass6",
    "allow4",   "allow6",     "unreachable", "clients",  "accepted", "flows",   "own-sockets",
};

using FdByName = std::map<std::string, Fd, std::less<>>;

struct HookParts {
  FdByName maps;
  FdByName programs;
  FdByName links;  // empty: not attached
};

// Tells one build of the programs from another.
[[nodiscard]] uint64_t hook_build();

// Opens the object, sets its constants, loads it.
[[nodiscard]] Result<HookParts> load_hook(const HookConstants& constants);
// Sorts fds by the names that name_parts() gave; fails unless all maps and programs are there.
[[nodiscard]] Result<HookParts> sort_parts(std::vector<NamedFd> fds);
[[nodiscard]] std::vector<Hook::BorrowedFd> name_parts(const HookParts& parts);

struct LinkPlaces {
  std::string ancestor, own;  // directories of cgroups
  bool with_quic = false;
};

// The links that are missing from `present`, all or nothing. Refuses beside programs that do not share their place.
[[nodiscard]] Result<FdByName> link_programs(const FdByName& programs, const FdByName& present,
                                             const LinkPlaces& places);

}  // namespace lunar
