// Latencies in fixed memory: log-linear buckets, eight per doubling, so that a quantile is off by at most 12.5 %.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace lunar {

class LatencyHistogram {
 public:
  void add(uint64_t microseconds) {
    ++counts_[bucket_of(microseconds)];
    ++total_;
  }

  void merge(const LatencyHistogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
  }

  // The upper bound of the bucket in which the quantile (0..1) lies; 0 without samples.
  [[nodiscard]] uint64_t quantile_us(double quantile) const {
    if (total_ == 0) return 0;
    const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(quantile * static_cast<double>(total_) + 0.999999));
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen >= wanted) return upper_bound(i);
    }
    return upper_bound(kBuckets - 1);
  }

  [[nodiscard]] uint64_t total() const { return total_; }

 private:
  static constexpr size_t kSubBits = 3;
  static constexpr size_t kSub = 1U << kSubBits;
  static constexpr size_t kOctaves = 32;  // up to 2^34 µs, almost five hours
  static constexpr size_t kBuckets = kSub * kOctaves;

  static constexpr size_t bucket_of(uint64_t value) {
    if (value < kSub) return static_cast<size_t>(value);
    const auto shift = static_cast<size_t>(std::bit_width(value)) - kSubBits - 1;
    return std::min(kBuckets - 1, (shift + 1) * kSub + static_cast<size_t>((value >> shift) - kSub));
  }
  static constexpr uint64_t upper_bound(size_t bucket) {
    if (bucket < kSub) return bucket;
    const size_t shift = bucket / kSub - 1;
    return ((kSub + bucket % kSub + 1) << shift) - 1;
  }

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t total_ = 0;
};

}  // namespace lunar
