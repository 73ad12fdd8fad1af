// Where a request of an explicit mode goes (gateway.md §1): pure.
#pragma once

#include <string>

#include "agent/base/transaction.h"
#include "agent/gateway/answers.h"
#include "agent/http/head.h"

namespace lunar::gateway {

// The request of the supervisor's prober, on the workers' own ports; a nonce follows.
inline constexpr std::string_view probe_path = "/.lunar/probe/";

struct Route {
  bool refused = false;
  Refusal refusal{};
  std::string detail;

  EntryMode mode = EntryMode::header;
  bool tls = false;     // scheme https
  bool tunnel = false;  // CONNECT
  std::string host;     // a name or an address, without brackets
  uint16_t port = 0;
  std::string authority;  // for Host and the log: as given
  std::string target;     // origin-form for the provider; empty: as it was sent

  void refuse(Refusal why, std::string what) {
    refused = true;
    refusal = why;
    detail = std::move(what);
  }
};

struct RoutingMode {
  bool query_mode = false;    // query parameters instead of x-lunar-host
  bool connect_only = false;  // the CONNECT listener
};

[[nodiscard]] Route find_route(const http::RequestHead& head, RoutingMode mode);

}  // namespace lunar::gateway
