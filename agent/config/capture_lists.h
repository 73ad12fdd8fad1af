// capture.allow_list and capture.block_list: which captured connections go through flows (gateway.md §1).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/endpoint.h"
#include "flowengine/result.h"
#include "flowengine/spec/host_pattern.h"

namespace lunar {

class CaptureLists {
 public:
  CaptureLists() = default;  // empty lists: flows apply to everything
  // Entries are hosts (`api.example.com`, `*.example.com`), addresses and CIDR ranges. The error names the entry.
  [[nodiscard]] static Result<CaptureLists> create(std::span<const std::string> allow,
                                                   std::span<const std::string> block);
  // What serves while the lists are invalid: flows apply to nothing.
  [[nodiscard]] static CaptureLists relay_everything();

  // The allow list wins over the block list; a non-empty allow list excludes everything that it does not name.
  // `host` is without port and may be empty.
  [[nodiscard]] bool flows_apply(std::string_view host, const IpAddress& destination) const;
  // Private, loopback and link-local destinations are captured only where these ranges name them.
  [[nodiscard]] std::span<const Prefix> allowed_ranges() const { return allow_.ranges; }

 private:
  struct List {
    std::vector<HostPattern> hosts;
    std::vector<Prefix> ranges;
    [[nodiscard]] bool empty() const { return hosts.empty() && ranges.empty(); }
    [[nodiscard]] bool names(std::string_view host, const IpAddress& destination) const;
  };
  static Result<List> read(std::span<const std::string> entries, std::string_view key);

  List allow_, block_;
  bool relay_everything_ = false;
};

}  // namespace lunar
