#include "agent/http/chunks.h"

#include <algorithm>

namespace lunar::http {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char folded = static_cast<char>(c | 0x20);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

}  // namespace

void PayloadReader::read(std::string_view bytes, std::string& out) {
  if (!chunked_) {
    out.append(bytes);
    return;
  }
  while (!bytes.empty()) {
    if (state_ != State::data) {
      framing_byte(bytes.front());
      bytes.remove_prefix(1);
      continue;
    }
    auto taken = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    out.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    left_ -= taken;
    if (left_ == 0) state_ = State::data_end;
  }
}

// The scanner has checked the framing; here it is only followed.
void PayloadReader::framing_byte(char c) {
  if (state_ == State::data_end || state_ == State::trailers) {
    if (state_ == State::data_end && c == '\n') {
      state_ = State::size;
      left_ = 0;
    }
    return;
  }
  if (c == '\n') {
    state_ = left_ == 0 ? State::trailers : State::data;
  } else if (state_ == State::size && digit_of(c) >= 0) {
    left_ = left_ * 16 + static_cast<uint64_t>(digit_of(c));
  } else {
    state_ = State::extension;
  }
}

}  // namespace lunar::http
