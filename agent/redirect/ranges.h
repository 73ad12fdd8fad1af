// The address ranges that the hook never captures, or captures although it usually would not.
#pragma once

#include <map>
#include <span>

#include "agent/base/endpoint.h"
#include "agent/redirect/hook.h"
#include "bpf/lunar_abi.h"
#include "flowengine/result.h"

namespace lunar {

using RangeKinds = std::map<Prefix, lunar_range_kind>;

// Loopback, link-local, multicast and private ranges, and what the routes say of this host.
[[nodiscard]] RangeKinds bypass_ranges(const RouteTable& routes);

struct RangeTries {
  int v4 = -1;  // LPM tries: lunar_prefix4 / lunar_prefix6 -> lunar_range
  int v6 = -1;

  // Makes the tries hold exactly these. What stays is never absent in between.
  [[nodiscard]] Result<> sync(const RangeKinds& ranges) const;
};

}  // namespace lunar
