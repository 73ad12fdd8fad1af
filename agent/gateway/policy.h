// Whether a destination may be used at all: the domain lists of gateway_config.yaml.
#pragma once

#include <string_view>

#include "agent/gateway/worker.h"

namespace lunar::gateway {

// `host` without port, empty where the client named none: then the address is judged.
[[nodiscard]] DomainLists::Verdict judge(const Worker& worker, std::string_view host, const Endpoint& destination);
[[nodiscard]] inline bool admitted(const Worker& worker, std::string_view host, const Endpoint& destination) {
  return judge(worker, host, destination) == DomainLists::Verdict::pass;
}
// The authority of a request target in absolute form (RFC 9112 §3.2.2), without user and password; else empty.
[[nodiscard]] std::string_view authority_of(std::string_view target);
// A Host value without its port, and an IPv6 literal without brackets.
[[nodiscard]] std::string_view host_of(std::string_view host_and_port);

}  // namespace lunar::gateway
