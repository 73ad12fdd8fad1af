#include "agent/redirect/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <fstream>

#include "agent/base/fd.h"
#include "agent/redirect/cgroup.h"
#include "agent/redirect/hook_parts.h"

namespace lunar {

namespace {

struct Capability {
  unsigned number;
  std::string_view name;
  bool required;
  std::string_view remedy;
};

constexpr std::array<Capability, 5> capabilities{{
    {CAP_BPF, "CAP_BPF", true, "start lunard as root or give it CAP_BPF"},
    {CAP_PERFMON, "CAP_PERFMON", true, "start lunard as root or give it CAP_PERFMON (the hook reads kernel structs)"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", true, "start lunard as root or give it CAP_NET_ADMIN"},
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", false, "without it nothing is captured inside other network namespaces"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false,
     "without it --netns, --reset-existing and the path of programs are missing"},
}};

struct HelperCall {
  bpf_prog_type program;
  bpf_func_id function;
  std::string_view name;
  bool required;
  std::string_view remedy;
};

constexpr std::array<HelperCall, 9> helper_calls{{
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_sk_lookup_tcp, "bpf_sk_lookup_tcp", true,
     "Linux 5.10 or later is needed"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_sk_storage_get, "bpf_sk_storage_get", true,
     "Linux 5.10 or later is needed"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_skc_to_tcp_sock, "bpf_skc_to_tcp_sock", true,
     "Linux 5.10 or later with CONFIG_DEBUG_INFO_BTF is needed"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_current_ancestor_cgroup_id, "bpf_get_current_ancestor_cgroup_id",
     true, "Linux 5.10 or later is needed"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_netns_cookie, "bpf_get_netns_cookie", true,
     "Linux 5.10 or later is needed"},
    {BPF_PROG_TYPE_SOCK_OPS, BPF_FUNC_sk_storage_get, "bpf_sk_storage_get in sockops", true,
     "Linux 5.10 or later is needed"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_current_task_btf, "bpf_get_current_task_btf", false,
     "without it a program's start time is read from /proc, later than its connect"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_skc_to_mptcp_sock, "bpf_skc_to_mptcp_sock", false,
     "without it (Linux < 5.19) MPTCP sockets see the gateway as their peer"},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_ns_current_pid_tgid, "bpf_get_ns_current_pid_tgid", false,
     "without it (Linux < 6.10) a lunard inside a container does not know the callers' processes"},
}};

uint64_t effective_capabilities() {
  std::ifstream in("/proc/self/status");
  constexpr std::string_view key = "CapEff:\t";
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    uint64_t bits = 0;
    std::from_chars(line.data() + key.size(), line.data() + line.size(), bits, 16);
    return bits;
  }
  return 0;
}

Feature probe_capability(const Capability& capability, uint64_t effective) {
  return {.name = std::string(capability.name),
          .present = ((effective >> capability.number) & 1U) != 0,
          .required = capability.required,
          .remedy = std::string(capability.remedy)};
}

Feature probe_call(const HelperCall& call) {
  return {.name = std::string(call.name),
          .present = libbpf_probe_bpf_helper(call.program, call.function, nullptr) == 1,
          .required = call.required,
          .remedy = std::string(call.remedy)};
}

Feature probe_attach(const HookProgram& program, const std::string& mount) {
  const Fd cgroup(open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  __u32 flags = 0;
  __u32 count = 0;
  const bool present = cgroup && bpf_prog_query(cgroup.get(), program.type, 0, &flags, nullptr, &count) == 0;
  return {.name = "attach " + std::string(program.name) + " to a cgroup",
          .present = present,
          .required = !program.quic_only,
          .remedy = "Linux 5.10 or later with CONFIG_CGROUP_BPF is needed"};
}

// The gateway reads its maps without any capability. Before Linux 6.0 kernel.unprivileged_bpf_disabled forbade that.
bool maps_work_unprivileged() {
  std::ifstream in("/proc/sys/kernel/unprivileged_bpf_disabled");
  int disabled = 0;
  if (!(in >> disabled) || disabled == 0) return true;
  utsname kernel{};
  unsigned major = 0;
  uname(&kernel);
  const std::string_view release = kernel.release;
  std::from_chars(release.data(), release.data() + release.size(), major);
  constexpr unsigned first_major = 6;
  return major >= first_major;
}

}  // namespace

std::vector<Feature> probe_kernel() {
  std::vector<Feature> out;
  const auto mount = cgroup::mount_point();
  out.push_back({.name = "cgroup2 mount",
                 .present = mount.has_value(),
                 .required = true,
                 .remedy = mount ? std::string() : mount.error().text});
  out.push_back({.name = "kernel type information (BTF)",
                 .present = access("/sys/kernel/btf/vmlinux", R_OK) == 0,
                 .required = true,
                 .remedy = "boot a kernel with CONFIG_DEBUG_INFO_BTF (every Debian kernel since 11 has it)"});
  out.push_back({.name = "BPF maps without capabilities",
                 .present = maps_work_unprivileged(),
                 .required = true,
                 .remedy = "Linux 6.0 or later is needed, or kernel.unprivileged_bpf_disabled=0"});
  const uint64_t effective = effective_capabilities();
  for (const Capability& capability : capabilities) out.push_back(probe_capability(capability, effective));
  for (const HookProgram& program : hook_programs) out.push_back(probe_attach(program, mount ? *mount : ""));
  for (const HelperCall& call : helper_calls) out.push_back(probe_call(call));
  return out;
}

}  // namespace lunar
