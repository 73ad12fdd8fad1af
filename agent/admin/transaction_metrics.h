// Metrics made of finished attempts: calls, sizes, durations, by the labels that say who called whom with what result.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "agent/admin/callers.h"
#include "agent/admin/metric_text.h"
#include "agent/base/transaction.h"

namespace lunar::admin {

class TransactionMetrics {
 public:
  static constexpr size_t kSeriesLimit = 10'000;  // what comes later counts as `other`

  // Opaque connections are not attempts and not counted here.
  void add(const TransactionRecord& record, const Caller& caller);
  void write(MetricText& text) const;

 private:
  // Upper bounds in ms; a request of a model streams for minutes, one in the same rack takes less than a millisecond.
  static constexpr std::array<double, 14> kBounds{1,   5,    10,   25,   50,    100,   250,
                                                  500, 1000, 2500, 5000, 10000, 30000, 120000};
  struct Durations {
    std::array<uint64_t, kBounds.size() + 1> counts{};
    uint64_t total = 0;
    double sum_ms = 0;
    void add(uint64_t from_ns, uint64_t to_ns);
  };
  struct Series {
    uint64_t calls = 0;
    uint64_t bytes = 0;
    Durations total;
    Durations provider;
  };

  // Under load most records repeat what a recent one said: that one's series is found without building its labels.
  struct Recent {
    std::string texts;  // method, host and tag as the record has them
    std::string caller_labels;
    IpAddress address;
    uint16_t status = 0;
    Series* series = nullptr;
  };
  static constexpr size_t kRecent = 64;

  Series& series_of(const TransactionRecord& record, const Caller& caller);
  Series& series_by_labels(const TransactionRecord& record, const Caller& caller);
  void write_durations(MetricText& text, Durations Series::* which) const;

  std::unordered_map<std::string, Series> series_;
  std::string labels_;  // reused
  std::string texts_;
  std::array<Recent, kRecent> recent_;
};

}  // namespace lunar::admin
