// The payload and the trailers of a message body, out of bytes in any framing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/http/body.h"

namespace lunar::http {

class BodyIntake {
 public:
  BodyIntake() = default;
  explicit BodyIntake(BodyFraming framing) : scanner_(framing) {}

  // Appends to `payload`; how many of the bytes belong to this body: all, unless it is done or malformed.
  [[nodiscard]] size_t take(std::string_view bytes, std::string& payload);

  [[nodiscard]] bool done() const { return scanner_.done(); }
  [[nodiscard]] bool malformed() const { return scanner_.malformed(); }
  [[nodiscard]] bool complete_at_close() const { return scanner_.complete_at_close(); }
  [[nodiscard]] const char* fault() const { return scanner_.fault(); }
  [[nodiscard]] std::string_view trailers() const;  // complete lines, when done; a view into this object

 private:
  BodyScanner scanner_;
  std::string framing_;  // since the last payload byte
};

}  // namespace lunar::http
