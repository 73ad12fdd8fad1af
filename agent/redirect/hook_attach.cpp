// Links between the programs and a cgroup.
#include <fcntl.h>

#include <cstring>

#include "agent/redirect/hook_parts.h"

namespace lunar {

namespace {

constexpr std::string_view own_link = "own-socket-events";

// A program attached without BPF_F_ALLOW_MULTI owns its place: the kernel would refuse us, or its owner would be
// surprised by a second program.
Result<> check_shares(int cgroup_fd, const HookProgram& program, const std::string& directory) {
  std::array<__u32, 64> ids{};
  __u32 count = ids.size();
  __u32 flags = 0;
  if (bpf_prog_query(cgroup_fd, program.type, 0, &flags, ids.data(), &count) != 0 && errno != ENOSPC)
    return fail("this kernel cannot attach " + std::string(program.name) + " to a cgroup; see lunarctl doctor", errno);
  if (count == 0 || (flags & BPF_F_ALLOW_MULTI) != 0) return {};
  return fail("BPF program " + std::to_string(ids[0]) + " holds " + std::string(program.name) + " of " + directory +
                  " for itself (not attached as multi); detach it (bpftool cgroup show " + directory +
                  ") or choose a cgroup below",
              EPERM);
}

Result<Fd> link_one(const FdByName& programs, const HookProgram& program, int cgroup_fd, const std::string& directory) {
  if (auto shares = check_shares(cgroup_fd, program, directory); !shares) return std::unexpected(shares.error());
  Fd link(bpf_link_create(programs.find(program.name)->second.get(), cgroup_fd, program.type, nullptr));
  if (link) return link;
  const int error = errno;
  return fail("cannot attach " + std::string(program.name) + " to " + directory +
                  (error == EPERM ? ": a program on a cgroup above does not share, or capabilities are missing" : ""),
              error);
}

Result<Fd> open_cgroup(const std::string& directory) {
  Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail("cannot open the cgroup " + directory, errno);
  return fd;
}

bool is_below(std::string_view directory, std::string_view ancestor) {
  while (ancestor.ends_with('/')) ancestor.remove_suffix(1);
  return directory.starts_with(ancestor) && (directory.size() == ancestor.size() || directory[ancestor.size()] == '/');
}

}  // namespace

Result<FdByName> link_programs(const FdByName& programs, const FdByName& present, const LinkPlaces& places) {
  FdByName links;
  auto cgroup = open_cgroup(places.ancestor);
  if (!cgroup) return std::unexpected(cgroup.error());
  for (const HookProgram& program : hook_programs) {
    if ((program.quic_only && !places.with_quic) || present.contains(program.name)) continue;
    auto link = link_one(programs, program, cgroup->get(), places.ancestor);
    if (!link) return std::unexpected(link.error());
    links.emplace(program.name, std::move(*link));
  }
  if (is_below(places.own, places.ancestor) || present.contains(own_link)) return links;
  // Accepted sockets belong to the cgroup of their listener; the ancestor's events do not cover it.
  auto own_cgroup = open_cgroup(places.own);
  if (!own_cgroup) return std::unexpected(own_cgroup.error());
  auto link = link_one(programs, hook_programs.front(), own_cgroup->get(), places.own);
  if (!link) return std::unexpected(link.error());
  links.emplace(own_link, std::move(*link));
  return links;
}

}  // namespace lunar
