// Latencies, log-linear as HdrHistogram keeps them: 128 steps an octave, so that a quantile is right within 0.8 %.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace lunar::bench {

class Histogram {
 public:
  void record(uint64_t nanoseconds) {
    ++counts_[index(std::min(nanoseconds, kLargest))];
    ++total_;
  }

  [[nodiscard]] uint64_t count() const { return total_; }

  // The smallest value that at least the fraction `q` of all records do not exceed; 0 when nothing was recorded.
  [[nodiscard]] uint64_t quantile(double q) const {
    uint64_t wanted = std::max<uint64_t>(1, static_cast<uint64_t>(q * static_cast<double>(total_) + 0.999999));
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] >= wanted) return value(i);
      wanted -= counts_[i];
    }
    return 0;
  }

 private:
  static constexpr unsigned kStepBits = 7;
  static constexpr uint64_t kSteps = 1U << kStepBits;
  static constexpr uint64_t kLargest = (uint64_t{1} << 40) - 1;  // 18 minutes

  static size_t index(uint64_t v) {
    if (v < kSteps) return v;
    unsigned shift = static_cast<unsigned>(std::bit_width(v)) - kStepBits - 1;
    return (shift + 1) * kSteps + (v >> shift) - kSteps;
  }

  static uint64_t value(size_t i) {
    if (i < kSteps) return i;
    uint64_t shift = i / kSteps - 1;
    return ((i % kSteps + kSteps) << shift) + ((uint64_t{1} << shift) >> 1);
  }

  std::array<uint64_t, (40 - kStepBits + 1) * kSteps> counts_{};
  uint64_t total_ = 0;
};

}  // namespace lunar::bench
