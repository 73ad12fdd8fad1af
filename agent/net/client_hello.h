// Reads the ClientHello that begins a TLS connection, without taking part in it (RFC 8446 §4.1.2, RFC 6066 §3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lunar {

// What a ClientHello says openly. With Encrypted ClientHello this is the outer one: `sni` is the public name.
struct ClientHello {
  std::string sni;                 // lower case; empty: none was sent
  std::vector<std::string> alpn;   // in the client's order, GREASE left out
  std::vector<uint16_t> versions;  // supported_versions without GREASE, or the legacy version alone
  bool encrypted_hello = false;    // the extension of ECH is present

  [[nodiscard]] bool offers_alpn(std::string_view protocol) const;
  bool operator==(const ClientHello&) const = default;
};

enum class HelloState : uint8_t { complete, incomplete, not_tls };

// `bytes` is the connection from its beginning. The hello may be spread over several records, and each may arrive in
// pieces; nothing behind the hello is looked at. not_tls: this can no longer become a well-formed ClientHello, which
// includes SSLv2 hellos and messages above 64 KiB. A hello without SNI is complete.
[[nodiscard]] HelloState parse_client_hello(std::string_view bytes, ClientHello& out);

// The largest prefix that a caller must keep while the state is incomplete: 64 KiB of handshake in tiny records is
// bounded by this, beyond it the answer is not_tls.
inline constexpr size_t max_hello_bytes = 80 * 1024;

}  // namespace lunar
