#include "agent/base/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lunar {
namespace {

constexpr std::array<uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <class Number>
std::optional<Number> whole_number(std::string_view text, Number highest) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > highest) return std::nullopt;
  return value;
}

}  // namespace

bool IpAddress::is_v4() const { return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin()); }

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN]{};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + 12, out, sizeof out);
  } else {
    inet_ntop(AF_INET6, bytes.data(), out, sizeof out);
  }
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.contains('\0')) return std::nullopt;  // inet_pton() would look at what is before it alone
  std::string terminated(text);
  in_addr four{};
  if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) return v4(four.s_addr);
  IpAddress six;
  if (inet_pton(AF_INET6, terminated.c_str(), six.bytes.data()) == 1) return six;
  return std::nullopt;
}

IpAddress IpAddress::v4(uint32_t network_order) {
  IpAddress out;
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.bytes.begin());
  memcpy(out.bytes.data() + 12, &network_order, 4);
  return out;
}

std::string Endpoint::text() const {
  std::string host = address.text();
  if (!address.is_v4()) host = "[" + host + "]";
  return host + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto address = IpAddress::parse(host);
  auto port = whole_number<uint32_t>(text.substr(colon + 1), 65535);
  if (!address || !port || bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  return Endpoint{*address, static_cast<uint16_t>(*port)};
}

Endpoint Endpoint::from(const sockaddr_storage& from) {
  Endpoint out;
  if (from.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(from);
    out.address = IpAddress::v4(four.sin_addr.s_addr);
    out.port = ntohs(four.sin_port);
  } else {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(from);
    memcpy(out.address.bytes.data(), &six.sin6_addr, 16);
    out.port = ntohs(six.sin6_port);
  }
  return out;
}

socklen_t Endpoint::to(sockaddr_storage& out) const {
  memset(&out, 0, sizeof out);
  if (address.is_v4()) {
    auto& four = reinterpret_cast<sockaddr_in&>(out);
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    memcpy(&four.sin_addr, address.bytes.data() + 12, 4);
    return sizeof four;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(out);
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  memcpy(&six.sin6_addr, address.bytes.data(), 16);
  return sizeof six;
}

bool Prefix::contains(const IpAddress& other) const {
  size_t whole = length / 8;
  if (memcmp(address.bytes.data(), other.bytes.data(), whole) != 0) return false;
  if (length % 8 == 0) return true;
  uint8_t mask = static_cast<uint8_t>(0xff00 >> (length % 8));
  return ((address.bytes[whole] ^ other.bytes[whole]) & mask) == 0;
}

std::string Prefix::text() const {
  return address.text() + "/" + std::to_string(address.is_v4() && length >= 96 ? length - 96 : length);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  uint32_t width = address->is_v4() ? 32 : 128;
  auto length = slash == std::string_view::npos ? width : whole_number<uint32_t>(text.substr(slash + 1), width);
  if (!length) return std::nullopt;
  return Prefix{*address, static_cast<uint8_t>(*length + 128 - width)};
}

}  // namespace lunar

size_t std::hash<lunar::Endpoint>::operator()(const lunar::Endpoint& endpoint) const noexcept {
  uint64_t high = 0;
  uint64_t low = 0;
  memcpy(&high, endpoint.address.bytes.data(), 8);
  memcpy(&low, endpoint.address.bytes.data() + 8, 8);
  uint64_t mixed = (high ^ (low + endpoint.port) * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
  return mixed ^ (mixed >> 32);
}
