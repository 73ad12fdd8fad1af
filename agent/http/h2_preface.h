// Whether a client begins with the connection preface of HTTP/2 (RFC 9113 §3.4): prior knowledge, in clear or in TLS.
#pragma once

#include <cstdint>
#include <string_view>

namespace lunar::http {

inline constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class Preface : uint8_t { complete, incomplete, no };

[[nodiscard]] constexpr Preface find_h2_preface(std::string_view first_bytes) {
  if (first_bytes.starts_with(h2_preface)) return Preface::complete;
  return h2_preface.starts_with(first_bytes) ? Preface::incomplete : Preface::no;
}

}  // namespace lunar::http
