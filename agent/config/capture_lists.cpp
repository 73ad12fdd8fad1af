#include "agent/config/capture_lists.h"

#include <algorithm>

namespace lunar {

Result<CaptureLists> CaptureLists::create(std::span<const std::string> allow, std::span<const std::string> block) {
  auto allowed = read(allow, "capture.allow_list");
  if (!allowed) return std::unexpected(allowed.error());
  auto blocked = read(block, "capture.block_list");
  if (!blocked) return std::unexpected(blocked.error());
  CaptureLists out;
  out.allow_ = *std::move(allowed);
  out.block_ = *std::move(blocked);
  return out;
}

CaptureLists CaptureLists::relay_everything() {
  CaptureLists out;
  out.relay_everything_ = true;
  return out;
}

Result<CaptureLists::List> CaptureLists::read(std::span<const std::string> entries, std::string_view key) {
  List out;
  for (const std::string& entry : entries) {
    if (auto range = Prefix::parse(entry)) {
      out.ranges.push_back(*range);
    } else if (auto host = HostPattern::parse(entry)) {
      out.hosts.push_back(*std::move(host));
    } else {
      return fail(std::string(key) + ": \"" + entry +
                  "\" is neither a host (api.example.com, *.example.com), nor an address, nor a range (10.0.0.0/8)");
    }
  }
  return out;
}

bool CaptureLists::List::names(std::string_view host, const IpAddress& destination) const {
  return std::ranges::any_of(hosts, [&](const HostPattern& pattern) { return pattern.matches(host); }) ||
         std::ranges::any_of(ranges, [&](const Prefix& range) { return range.contains(destination); });
}

bool CaptureLists::flows_apply(std::string_view host, const IpAddress& destination) const {
  if (relay_everything_) return false;
  if (!allow_.empty()) return allow_.names(host, destination);
  return !block_.names(host, destination);
}

}  // namespace lunar
