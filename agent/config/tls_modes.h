// tls.intercept and tls.passthrough: which TLS connections the gateway opens (README.md, "Section tls").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/endpoint.h"
#include "flowengine/result.h"
#include "flowengine/spec/host_pattern.h"

namespace lunar {

// One entry of these lists.
class TlsRule {
 public:
  // `HOST[:PORT] [unit=NAME]`. The error quotes the entry, and says what was expected in place of what.
  [[nodiscard]] static Result<TlsRule> parse(std::string_view entry);

  // `address`: what `host` is if it is an address literal. The others as for TlsModes.
  [[nodiscard]] bool names(std::string_view host, const std::optional<IpAddress>& address, uint16_t port,
                           std::string_view unit) const;

 private:
  TlsRule() = default;
  struct AnyHost {};
  using Host = std::variant<AnyHost, HostPattern, Prefix>;
  static std::optional<Host> parse_host(std::string_view text, bool bracketed);

  Host host_;
  std::optional<uint16_t> port_;  // none: any
  std::string unit_;              // empty: any program
};

// Immutable once built; may be read by all threads at once.
class TlsModes {
 public:
  TlsModes() = default;  // nothing is intercepted
  // The error names the list and the entry.
  [[nodiscard]] static Result<TlsModes> create(std::span<const std::string> intercept,
                                               std::span<const std::string> passthrough);

  // False: intercepts() is false for every connection.
  [[nodiscard]] bool intercepts_anything() const { return !intercept_.empty(); }
  // `host` is the name in SNI in lower case, or an address without brackets; empty: unknown, which `*` alone names.
  // `unit` is that of the program with its escapes decoded, empty: unknown, which no entry with a unit names.
  [[nodiscard]] bool intercepts(std::string_view host, uint16_t port, std::string_view unit) const;

 private:
  std::vector<TlsRule> intercept_, passthrough_;
};

}  // namespace lunar
