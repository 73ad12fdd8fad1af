// Whether a cgroup has a BPF filter on what it sends (IPAddressDeny= of systemd, for one). Captured traffic leaves
// from the gateway's cgroup and would evade it: such cgroups are not captured.
#pragma once

#include <string>

namespace lunar {

enum class FilterScope { itself, with_ancestors };
// A cgroup that cannot be asked counts as filtered: doubt means direct. One that is gone does not.
[[nodiscard]] bool has_egress_filter(const std::string& cgroup_directory, FilterScope scope);

}  // namespace lunar
