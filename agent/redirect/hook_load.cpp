// Open → constants → load, and the naming of what results.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include "agent/base/log.h"
#include "agent/redirect/hook_parts.h"
#include "redirect.skel.h"

namespace lunar {

namespace {

constexpr std::string_view map_prefix = "hook-map-";
constexpr std::string_view program_prefix = "hook-program-";
constexpr std::string_view link_prefix = "hook-link-";
constexpr uint32_t flow_entries_per_cpu = 1024;  // an LRU hash keeps up to 128 free ones on each CPU

struct DestroySkeleton {
  void operator()(redirect_bpf* skeleton) const { redirect_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<redirect_bpf, DestroySkeleton>;

// libbpf warns only when loading fails; the verifier's log is then part of it, and ends with what was refused.
int to_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  constexpr size_t tail = 800;
  va_list again;
  va_copy(again, arguments);
  std::string text(static_cast<size_t>(std::max(vsnprintf(nullptr, 0, format, again), 0)) + 1, '\0');
  va_end(again);
  vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  log::warn("{}", text.size() > tail ? "..." + text.substr(text.size() - tail) : text);
  return 0;
}

// The kernel counts in jiffies; its coarse clock advances once in each.
uint32_t jiffies_of(Nanoseconds time) {
  timespec tick{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec == 0) return 0;
  const auto jiffies = static_cast<uint32_t>(time.count() / tick.tv_nsec);
  return std::max<uint32_t>(jiffies, time.count() > 0 ? 1 : 0);
}

bool has_call(bpf_func_id function) {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, function, nullptr) == 1;
}

// A process has another number in each pid namespace; the right one for us is that under which /proc knows it.
void set_pid_namespace(redirect_bpf& skeleton) {
  constexpr ino_t first_pid_namespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO
  struct stat own{};
  if (stat("/proc/self/ns/pid", &own) != 0 || own.st_ino == first_pid_namespace) return;
  skeleton.rodata->pid_namespace_inode = own.st_ino;
  skeleton.rodata->pid_namespace_device = static_cast<__u64>(major(own.st_dev)) << 20 | minor(own.st_dev);
  skeleton.rodata->have_namespace_pid = has_call(BPF_FUNC_get_ns_current_pid_tgid);
}

void set_constants(redirect_bpf& skeleton, const HookConstants& constants) {
  skeleton.rodata->syn_timeout_jiffies = jiffies_of(constants.syn_timeout);
  skeleton.rodata->have_task = has_call(BPF_FUNC_get_current_task_btf);
  skeleton.rodata->have_mptcp = has_call(BPF_FUNC_skc_to_mptcp_sock);
  set_pid_namespace(skeleton);
  const auto cpus = static_cast<uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
  const uint32_t flows = constants.flow_entries != 0 ? constants.flow_entries : cpus * flow_entries_per_cpu;
  (void)bpf_map__set_max_entries(skeleton.maps.flows, std::max<uint32_t>(flows, 4096));
}

std::string with_hyphens(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', '-');
  return out;
}

Result<Fd> duplicate(int fd) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail("cannot duplicate a BPF file descriptor", errno);
  return copy;
}

// The skeleton owns its fds; ours outlive it.
Result<HookParts> keep_fds(redirect_bpf& skeleton) {
  HookParts parts;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    const std::string name = with_hyphens(bpf_map__name(map));
    if (std::ranges::find(hook_maps, name) == hook_maps.end()) continue;  // constants
    auto copy = duplicate(bpf_map__fd(map));
    if (!copy) return std::unexpected(copy.error());
    parts.maps.emplace(name, std::move(*copy));
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    auto copy = duplicate(bpf_program__fd(program));
    if (!copy) return std::unexpected(copy.error());
    parts.programs.emplace(with_hyphens(bpf_program__name(program)), std::move(*copy));
  }
  return parts;
}

Result<> check_complete(const HookParts& parts) {
  for (const std::string_view name : hook_maps)
    if (!parts.maps.contains(name)) return fail("the hook lacks its map " + std::string(name));
  for (const HookProgram& program : hook_programs)
    if (!parts.programs.contains(program.name)) return fail("the hook lacks its program " + std::string(program.name));
  return {};
}

}  // namespace

uint64_t hook_build() {
  size_t size = 0;
  const auto* bytes = static_cast<const char*>(redirect_bpf::elf_bytes(&size));
  return std::hash<std::string_view>{}({bytes, size}) ^ LUNAR_ABI;
}

Result<HookParts> load_hook(const HookConstants& constants) {
  libbpf_set_print(to_log);
  const Skeleton skeleton(redirect_bpf::open());
  if (!skeleton) return fail("cannot open the kernel hook; see lunarctl doctor", errno);
  set_constants(*skeleton, constants);
  if (const int error = redirect_bpf::load(skeleton.get()); error != 0)
    return fail("the kernel did not accept the hook (the warnings above show why); see lunarctl doctor", -error);
  auto parts = keep_fds(*skeleton);
  if (!parts) return parts;
  if (auto complete = check_complete(*parts); !complete) return std::unexpected(complete.error());
  return parts;
}

Result<HookParts> sort_parts(std::vector<NamedFd> fds) {
  HookParts parts;
  for (NamedFd& named : fds) {
    const std::string_view name = named.name;
    if (name.starts_with(map_prefix)) {
      parts.maps.insert_or_assign(std::string(name.substr(map_prefix.size())), std::move(named.fd));
    } else if (name.starts_with(program_prefix)) {
      parts.programs.insert_or_assign(std::string(name.substr(program_prefix.size())), std::move(named.fd));
    } else if (name.starts_with(link_prefix)) {
      parts.links.insert_or_assign(std::string(name.substr(link_prefix.size())), std::move(named.fd));
    }
  }
  if (auto complete = check_complete(parts); !complete) return std::unexpected(complete.error());
  return parts;
}

std::vector<Hook::BorrowedFd> name_parts(const HookParts& parts) {
  std::vector<Hook::BorrowedFd> out;
  const auto add = [&out](std::string_view prefix, const FdByName& fds) {
    for (const auto& [name, fd] : fds) out.push_back({std::string(prefix) + name, fd.get()});
  };
  add(map_prefix, parts.maps);
  add(program_prefix, parts.programs);
  add(link_prefix, parts.links);
  return out;
}

}  // namespace lunar
