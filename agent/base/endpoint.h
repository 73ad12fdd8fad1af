// An IP address, and an address with a port, as values.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar {

// IPv4 is kept in its v4-mapped form (RFC 4291 §2.5.5.2), so that both ways of
// naming one IPv4 host are equal. Bytes in network order.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);  // without brackets or zone
  [[nodiscard]] static IpAddress v4(uint32_t network_order);
  auto operator<=>(const IpAddress&) const = default;
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host order

  [[nodiscard]] std::string text() const;                                     // 198.18.0.1:80 or [2001:db8::1]:80
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);  // the forms of text()
  [[nodiscard]] static Endpoint from(const sockaddr_storage& from);           // AF_INET or AF_INET6
  socklen_t to(sockaddr_storage& out) const;                                  // AF_INET for v4; returns the length
  auto operator<=>(const Endpoint&) const = default;
};

// An address range in CIDR notation; IPv4 ranges have 96 added to their length.
struct Prefix {
  IpAddress address;
  uint8_t length = 0;  // bits of the 128

  [[nodiscard]] bool contains(const IpAddress& other) const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);  // an address alone is a full-length range
  auto operator<=>(const Prefix&) const = default;
};

}  // namespace lunar

template <>
struct std::hash<lunar::Endpoint> {
  size_t operator()(const lunar::Endpoint& endpoint) const noexcept;
};
