#include "agent/redirect/unreachable.h"

#include <algorithm>

#include "agent/redirect/bpf_map.h"
#include "bpf/lunar_abi.h"

namespace lunar {

namespace {
lunar_destination key_of(const Endpoint& destination) {
  lunar_destination key{};
  std::ranges::copy(destination.address.bytes, key.addr);
  key.port = destination.port;
  return key;
}
}  // namespace

// Both are advice to the hook: where the kernel refuses, the client's retry meets the gateway again, which is safe.
void Unreachable::note(const Endpoint& destination, MonotonicTime until) const {
  if (map_fd_ < 0) return;
  const auto until_ns = static_cast<uint64_t>(until.time_since_epoch().count());
  map_advise(map_fd_, key_of(destination), until_ns);
}

void Unreachable::forget(const Endpoint& destination) const {
  if (map_fd_ >= 0) map_withdraw(map_fd_, key_of(destination));
}

}  // namespace lunar
