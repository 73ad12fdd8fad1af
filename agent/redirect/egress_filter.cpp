#include "agent/redirect/egress_filter.h"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <cerrno>

#include "agent/base/fd.h"

namespace lunar {

bool has_egress_filter(const std::string& cgroup_directory, FilterScope scope) {
  const Fd cgroup(open(cgroup_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) return errno != ENOENT;
  const __u32 query = scope == FilterScope::with_ancestors ? BPF_F_QUERY_EFFECTIVE : 0;
  __u32 flags = 0;
  __u32 count = 0;
  if (bpf_prog_query(cgroup.get(), BPF_CGROUP_INET_EGRESS, query, &flags, nullptr, &count) != 0)
    return errno != ENODEV;  // ENODEV: the cgroup was removed meanwhile
  return count > 0;
}

}  // namespace lunar
