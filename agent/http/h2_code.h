// Error codes of HTTP/2 (RFC 9113 §7), and why something ended.
#pragma once

#include <cstdint>
#include <string_view>

namespace lunar::http {

enum class H2Code : uint32_t {
  no_error = 0x0,
  protocol_error = 0x1,
  internal_error = 0x2,
  flow_control_error = 0x3,
  settings_timeout = 0x4,
  stream_closed = 0x5,
  frame_size_error = 0x6,
  refused_stream = 0x7,  // nothing of the request was processed: it may be sent again
  cancel = 0x8,
  compression_error = 0x9,
  connect_error = 0xa,
  enhance_your_calm = 0xb,
  inadequate_security = 0xc,
  http_1_1_required = 0xd,
};

struct H2End {
  H2Code code = H2Code::no_error;  // unknown codes of a peer are passed on as they are
  std::string_view reason;         // for a log line; of a peer's GOAWAY any bytes; valid during the call that gives it
};

}  // namespace lunar::http
