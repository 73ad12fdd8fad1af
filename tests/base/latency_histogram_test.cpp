#include "agent/base/latency_histogram.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace lunar;

TEST_CASE("latency histogram: a quantile is never below the sample and at most an eighth above it") {
  for (uint64_t value = 1; value < (1ULL << 33); value = value * 9 / 8 + 1) {
    LatencyHistogram histogram;
    histogram.add(value);
    CAPTURE(value);
    CHECK(histogram.quantile_us(0.5) >= value);
    CHECK(histogram.quantile_us(0.5) <= value + value / 8);
  }
}

TEST_CASE("latency histogram: finds the rank, alone and merged") {
  LatencyHistogram low;
  LatencyHistogram high;
  CHECK(low.quantile_us(0.99) == 0);
  for (int i = 0; i < 99; ++i) low.add(5);
  high.add(1000);
  CHECK(low.quantile_us(1.0) == 5);
  low.merge(high);
  CHECK(low.total() == 100);
  CHECK(low.quantile_us(0.5) == 5);
  CHECK(low.quantile_us(0.99) == 5);
  CHECK(low.quantile_us(0.999) >= 1000);
}

TEST_CASE("latency histogram: what is beyond its range counts as its largest") {
  LatencyHistogram histogram;
  histogram.add(UINT64_MAX);
  CHECK(histogram.quantile_us(0.5) >= (1ULL << 33));
}
