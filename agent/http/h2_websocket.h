// The handshake values that WebSocket has over HTTP/1.1 and lacks over HTTP/2 (RFC 6455 §4, RFC 8441 §5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lunar::http {

// A Sec-WebSocket-Key: 24 characters. It proves to the client that it speaks to a WebSocket server and protects
// nothing, so that it needs to differ between requests, but not to be secret.
[[nodiscard]] std::string websocket_key(uint64_t nonce);

// The Sec-WebSocket-Accept that belongs to a key.
[[nodiscard]] std::string websocket_accept(std::string_view key);

}  // namespace lunar::http
