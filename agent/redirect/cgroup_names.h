// What cgroup directories are called by those who make them; pure.
#pragma once

#include <string>
#include <string_view>

namespace lunar {

// The container that one directory name stands for (docker, podman, containerd, CRI-O, systemd-nspawn): its id, or a
// machine's name. Empty: none. A name that is nothing but 64 hexadecimal digits is taken for a container's.
[[nodiscard]] std::string container_in(std::string_view directory_name);

// Of a whole path, from the innermost directory outwards.
[[nodiscard]] std::string container_of_cgroup(std::string_view path);
// The systemd unit ("shop.service", a scope), with its escapes decoded: "foo\x2dbar.service" is "foo-bar.service".
// In a user's session it is the unit there, not user@1000.service. Slices only where there is nothing else.
[[nodiscard]] std::string unit_of_cgroup(std::string_view path);

}  // namespace lunar
