#include "agent/http/body.h"

#include <algorithm>
#include <limits>

#include "agent/http/chars.h"

namespace lunar::http {
namespace {

constexpr uint64_t largest_chunk = std::numeric_limits<int64_t>::max();
constexpr uint32_t longest_size_line = 4096;  // a chunk size with its extensions
constexpr uint32_t most_size_digits = 16;     // leading zeros included
constexpr uint32_t most_trailer_bytes = max_head_size;

int hex_digit(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BodyScanner::BodyScanner(BodyFraming framing) {
  switch (framing.kind) {
    case BodyFraming::Kind::none:
      break;
    case BodyFraming::Kind::content_length:
      remaining_ = framing.length;
      state_ = remaining_ == 0 ? State::done : State::length_data;
      break;
    case BodyFraming::Kind::chunked:
      state_ = State::size_first;
      break;
    case BodyFraming::Kind::until_close:
      state_ = State::until_close;
      break;
  }
}

BodyScanner::Step BodyScanner::scan(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && !done() && !malformed()) {
    std::string_view rest = bytes.substr(used);
    switch (state_) {
      case State::length_data:
        used += take_data(rest, State::done);
        break;
      case State::chunk_data:
        used += take_data(rest, State::chunk_cr);
        break;
      case State::until_close:
        data_bytes_ += rest.size();
        used = bytes.size();
        break;
      default:
        used += take_framing(rest);
    }
  }
  return {used, done(), malformed()};
}

size_t BodyScanner::take_data(std::string_view bytes, State next) {
  uint64_t taken = std::min<uint64_t>(remaining_, bytes.size());
  remaining_ -= taken;
  data_bytes_ += taken;
  if (remaining_ == 0) state_ = next;
  return static_cast<size_t>(taken);
}

uint64_t BodyScanner::unseen_limit() const {
  if (state_ == State::until_close) return std::numeric_limits<uint64_t>::max();
  return state_ == State::length_data || state_ == State::chunk_data ? remaining_ : 0;
}

void BodyScanner::skip(uint64_t count) {
  data_bytes_ += count;
  if (state_ == State::until_close) return;
  remaining_ -= count;
  if (remaining_ == 0 && count != 0) state_ = state_ == State::length_data ? State::done : State::chunk_cr;
}

BodyScanner::State BodyScanner::broken(const char* fault) {
  fault_ = fault;
  return State::malformed;
}

// Up to the next payload byte, the end, or the first byte that does not belong here (which is not consumed).
size_t BodyScanner::take_framing(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size()) {
    state_ = framing_byte(static_cast<unsigned char>(bytes[used]));
    if (state_ == State::malformed) break;
    ++used;
    if (state_ == State::chunk_data || state_ == State::done) break;
  }
  return used;
}

BodyScanner::State BodyScanner::framing_byte(unsigned char byte) {
  switch (state_) {
    case State::size_first:
    case State::size:
    case State::extension:
      return chunk_size_byte(byte);
    case State::size_lf:
      if (byte != '\n') return broken("bare CR in a chunk size line");
      line_bytes_ = 0;
      return remaining_ == 0 ? State::trailer_first : State::chunk_data;
    case State::chunk_cr:
      return byte == '\r' ? State::chunk_lf : broken("chunk is longer than its size");
    case State::chunk_lf:
      return byte == '\n' ? State::size_first : broken("bare CR behind a chunk");
    case State::end_lf:
      return byte == '\n' ? State::done : broken("bare CR behind the last chunk");
    default:
      return trailer_byte(byte);
  }
}

BodyScanner::State BodyScanner::chunk_size_byte(unsigned char byte) {
  if (++line_bytes_ > longest_size_line) return broken("chunk extensions are too long");
  if (state_ == State::extension) {
    if (byte == '\r') return State::size_lf;
    return value_bytes[byte] ? State::extension : broken("control character in a chunk extension");
  }
  int digit = hex_digit(byte);
  if (digit >= 0) {
    if (line_bytes_ > most_size_digits || remaining_ > largest_chunk >> 4) return broken("chunk size is too large");
    remaining_ = remaining_ << 4 | static_cast<uint64_t>(digit);
    return State::size;
  }
  if (state_ == State::size_first) return broken("chunk size does not begin with a hexadecimal digit");
  if (byte == ';') return State::extension;
  return byte == '\r' ? State::size_lf : broken("chunk size is followed by neither CR LF nor an extension");
}

BodyScanner::State BodyScanner::trailer_byte(unsigned char byte) {
  if (++line_bytes_ > most_trailer_bytes) return broken("trailers above 64 KiB");
  switch (state_) {
    case State::trailer_first:
      if (byte == '\r') return State::end_lf;
      return token_bytes[byte] ? State::trailer_name : broken("invalid byte in a trailer name");
    case State::trailer_name:
      if (byte == ':') return State::trailer_value;
      return token_bytes[byte] ? State::trailer_name : broken("invalid byte in a trailer name");
    case State::trailer_value:
      if (byte == '\r') return State::trailer_lf;
      return value_bytes[byte] ? State::trailer_value : broken("control character in a trailer");
    default:
      return byte == '\n' ? State::trailer_first : broken("bare CR in a trailer");
  }
}

}  // namespace lunar::http
