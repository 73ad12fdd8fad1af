// Where a message body ends. Counts and checks, never alters bytes (RFC 9112 §6, §7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/http/head.h"

namespace lunar::http {

class BodyScanner {
 public:
  // `consumed` bytes belong to this message. done: the next byte belongs to the next message. malformed: the framing
  // is broken at `consumed`; nothing behind it has a known boundary. Both are final.
  struct Step {
    size_t consumed = 0;
    bool done = false;
    bool malformed = false;
    bool operator==(const Step&) const = default;
  };

  BodyScanner() : BodyScanner(BodyFraming{}) {}
  explicit BodyScanner(BodyFraming framing);

  [[nodiscard]] Step scan(std::string_view bytes);

  // For bytes that go by unseen (splice): at most unseen_limit() of them.
  void skip(uint64_t count);
  [[nodiscard]] uint64_t unseen_limit() const;  // 0 where every byte must be looked at

  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] bool malformed() const { return state_ == State::malformed; }
  // The sender closed: true if the message is complete by that (until_close) or was before.
  [[nodiscard]] bool complete_at_close() const { return done() || state_ == State::until_close; }
  [[nodiscard]] uint64_t remaining() const { return remaining_; }    // of the Content-Length, or of the current chunk
  [[nodiscard]] uint64_t data_bytes() const { return data_bytes_; }  // payload so far, without chunk framing
  [[nodiscard]] const char* fault() const { return fault_; }

 private:
  enum class State : uint8_t {
    done,
    malformed,
    length_data,
    until_close,
    size_first,  // first digit of a chunk size
    size,
    extension,
    size_lf,
    chunk_data,
    chunk_cr,
    chunk_lf,
    trailer_first,  // first byte of a trailer line
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
  };

  size_t take_data(std::string_view bytes, State next);
  size_t take_framing(std::string_view bytes);
  State framing_byte(unsigned char byte);
  State chunk_size_byte(unsigned char byte);
  State trailer_byte(unsigned char byte);
  State broken(const char* fault);

  uint64_t remaining_ = 0;
  uint64_t data_bytes_ = 0;
  const char* fault_ = nullptr;
  uint32_t line_bytes_ = 0;  // of the current chunk-size line, or of all trailers
  State state_ = State::done;
};

}  // namespace lunar::http
