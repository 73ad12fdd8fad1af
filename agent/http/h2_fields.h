// HTTP/2 field lists and HTTP/1.1 heads, each as the other (RFC 9113 §8, RFC 8441). Pure: values in, values out.
//
// Every function returns nullptr, or why the message is malformed; what it has written until then is not to be used.
// The order of fields stays. Towards HTTP/1.1, everything is checked, and the text is one that parse_request_head or
// parse_response_head accepts. Towards HTTP/2, the head has been parsed, and what concerns a connection is left out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/http/h2_field_block.h"
#include "agent/http/head.h"

namespace lunar::http {

// What the response must know of its request.
struct H2Exchange {
  enum class Tunnel : uint8_t { none, connect, extended };  // extended: RFC 8441, an Upgrade in HTTP/1.1
  Tunnel tunnel = Tunnel::none;
  bool head = false;          // the request was HEAD
  bool http10 = false;        // whoever reads the HTTP/1 side does not know chunks
  std::string protocol;       // of an extended CONNECT
  std::string websocket_key;  // on the HTTP/1 side, where that protocol is websocket
};

// An HTTP/1.1 head, and how DATA appears behind it: until_close stands for raw bytes (a tunnel, HTTP/1.0).
struct H1Head {
  std::string text;
  BodyFraming framing;
  bool interim = false;  // a further head follows
  bool grpc = false;     // by its content-type
};

// How the length of an empty message is written that HTTP/2 said by END_STREAM alone. Equal to any other spelling in
// HTTP/1.1; towards HTTP/2 it is left out again.
inline constexpr std::string_view implied_length = "Content-length";

struct H2RequestRules {
  bool extended_connect = false;  // we have offered it
  uint64_t websocket_nonce = 0;   // differs between requests; see websocket_key()
};

// `ended`: no DATA follows. POST, PUT and PATCH without a body get an implied length of 0, which HTTP/1.1 servers ask
// for.
[[nodiscard]] const char* request_to_h1(std::span<const H2Field> fields, bool ended, const H2RequestRules& rules,
                                        H2Exchange& exchange, H1Head& out);

// A response that is over with its head gets an implied length of 0, where it may: response_to_h2 makes one frame of it
// again, which gRPC needs.
[[nodiscard]] const char* response_to_h1(std::span<const H2Field> fields, bool ended, const H2Exchange& exchange,
                                         H1Head& out);

// Trailers as the lines between the last chunk and the empty line. Fields that frame or route a message are left out.
[[nodiscard]] const char* trailers_to_h1(std::span<const H2Field> fields, std::string& out);

struct H2PeerRules {
  std::string_view scheme;        // of requests in origin form
  bool extended_connect = false;  // the peer has offered it
};

// Sets `framing` of the bytes that follow the head on the HTTP/1 side; none means that END_STREAM goes with the head.
// An Upgrade that has no extended CONNECT is left out, which HTTP/1.1 lets a server do; for a WebSocket it is a fault.
[[nodiscard]] const char* request_to_h2(const RequestHead& head, const H2PeerRules& rules, H2Exchange& exchange,
                                        H2FieldBlock& out, BodyFraming& framing);

[[nodiscard]] const char* response_to_h2(const ResponseHead& head, const H2Exchange& exchange, H2FieldBlock& out,
                                         BodyFraming& framing);

// `lines`: complete field lines that a BodyScanner has accepted.
[[nodiscard]] const char* trailers_to_h2(std::string_view lines, H2FieldBlock& out);

}  // namespace lunar::http
