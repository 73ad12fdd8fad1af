// The payload of a message body in whatever framing it came.
#pragma once

#include <string>
#include <string_view>

#include "agent/http/head.h"

namespace lunar::http {

// Fed with the bytes of one message body as BodyScanner counts them: gives those of them that are payload.
class PayloadReader {
 public:
  explicit PayloadReader(BodyFraming framing) : chunked_(framing.kind == BodyFraming::Kind::chunked) {}

  void read(std::string_view bytes, std::string& out);

 private:
  enum class State : uint8_t { size, extension, data, data_end, trailers };
  void framing_byte(char c);

  State state_ = State::size;
  bool chunked_;
  uint64_t left_ = 0;
};

}  // namespace lunar::http
