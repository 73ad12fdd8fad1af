// Authorities and request targets as they appear in Host, CONNECT, absolute-form requests and x-lunar-host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar {

// host[:port] without user info. Names are letters, digits, `-`, `_` and dots, folded to lower case, without a
// trailing dot; IPv6 literals stand in brackets in the text and without them in `host`.
struct Authority {
  std::string host;
  std::optional<uint16_t> port;
  bool ipv6 = false;

  [[nodiscard]] std::string text() const;  // with brackets, with the port if there is one
  bool operator==(const Authority&) const = default;
};
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

enum class Scheme : uint8_t { http, https };
[[nodiscard]] std::optional<Scheme> parse_scheme(std::string_view text);  // ignoring case
[[nodiscard]] constexpr uint16_t default_port(Scheme scheme) { return scheme == Scheme::http ? 80 : 443; }
[[nodiscard]] constexpr std::string_view scheme_name(Scheme scheme) {
  return scheme == Scheme::http ? "http" : "https";
}

// http(s)://authority[/path][?query]. `origin_form` is what the provider gets as target.
struct AbsoluteTarget {
  Scheme scheme{};
  Authority authority;
  std::string origin_form;

  [[nodiscard]] uint16_t port() const { return authority.port.value_or(default_port(scheme)); }
};
[[nodiscard]] std::optional<AbsoluteTarget> parse_absolute_target(std::string_view target);

}  // namespace lunar
