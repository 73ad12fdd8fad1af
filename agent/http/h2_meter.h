// Counts the frames of a peer against what it may cost. Reads only the nine bytes before each frame, ahead of whoever
// interprets it, so that frames that are ignored there count as well.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/http/h2_code.h"
#include "agent/http/h2_limits.h"

namespace lunar::http {

// Of any clock that never goes back.
using H2Time = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class H2Bucket {
 public:
  explicit H2Bucket(H2Rate rate) : rate_(rate), left_(rate.burst) {}

  [[nodiscard]] bool take() {
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }
  void add(double units) { left_ = left_ + units < rate_.burst ? left_ + units : rate_.burst; }
  void refill(std::chrono::nanoseconds elapsed) {
    add(std::chrono::duration<double>(elapsed).count() * rate_.per_second);
  }

 private:
  H2Rate rate_;
  double left_;
};

// Everything that counts returns nothing, or why the session has to end.
class H2Meter {
 public:
  using Verdict = std::optional<H2End>;

  // `preface`: as many bytes come before the first frame.
  H2Meter(const H2Limits& limits, size_t preface, H2Time now);

  [[nodiscard]] Verdict observe(std::string_view bytes, H2Time now);
  [[nodiscard]] Verdict stream_aborted();  // the peer made us reset a stream
  [[nodiscard]] Verdict data_sent(size_t bytes, bool cut_small);

 private:
  [[nodiscard]] Verdict frame(uint8_t type, uint8_t flags, uint32_t stream, uint32_t length);
  [[nodiscard]] Verdict priority_frame(uint32_t stream, uint32_t length);
  [[nodiscard]] Verdict idle_frame();
  void credit(size_t data_bytes);
  void refill(H2Time now);

  H2Bucket aborted_;
  H2Bucket settings_;
  H2Bucket pings_;
  H2Bucket idle_;
  H2Time last_;
  size_t skip_;  // bytes that belong to the preface or to a payload
  std::array<unsigned char, 9> header_{};
  uint8_t header_size_ = 0;
  uint32_t continuations_ = 0;
  uint32_t most_continuations_;
};

}  // namespace lunar::http
