#include "agent/redirect/original_dst.h"

#include <algorithm>
#include <cstring>

#include "agent/redirect/bpf_map.h"
#include "bpf/lunar_abi.h"

namespace lunar {

namespace {
IpAddress address_from(const __u8 (&bytes)[16]) {
  IpAddress out;
  std::copy_n(bytes, sizeof bytes, out.bytes.begin());
  return out;
}
}  // namespace

std::optional<Origin> OriginMap::find(int socket_fd) const {
  const auto accepted = map_find<lunar_accepted>(map_fd_, socket_fd);
  if (!accepted || accepted->known == 0) return std::nullopt;
  const lunar_origin& from = accepted->origin;
  Origin out{.destination = {.address = address_from(from.addr), .port = from.port},
             .pid = from.pid,
             .uid = from.uid,
             .cgroup_id = from.cgroup_id,
             .netns_cookie = from.netns_cookie,
             .mark = from.mark,
             .start_ns = from.start_ns,
             .source = std::nullopt};
  std::memcpy(out.comm.data(), from.comm, out.comm.size());
  out.comm.back() = '\0';
  if (const IpAddress source = address_from(from.source); source != IpAddress{}) out.source = source;
  return out;
}

}  // namespace lunar
