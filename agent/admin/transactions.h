// Takes the records of all workers out of their rings and turns each into a log line, metrics, `tail` and `top`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/admin/callers.h"
#include "agent/admin/tail.h"
#include "agent/admin/top.h"
#include "agent/admin/transaction_metrics.h"
#include "agent/base/clock.h"
#include "agent/base/transaction.h"
#include "agent/state/access_log.h"

namespace lunar::admin {

struct TransactionNames {
  std::string version;
  std::string request_id_prefix;  // of the ids that the gateway generates
  Attribution::ExeOf program_of;
};

class Transactions {
 public:
  // The rings outlive it.
  Transactions(std::vector<TransactionRing*> rings, AccessLogOptions log, TransactionNames names);

  // Takes up to `limit` records of each ring; returns the most that any ring gave.
  size_t drain(size_t limit);

  [[nodiscard]] AccessLog& log() { return log_; }
  [[nodiscard]] const TransactionMetrics& metrics() const { return metrics_; }
  [[nodiscard]] TransactionMetrics& metrics() { return metrics_; }
  [[nodiscard]] Tail& tail() { return tail_; }
  [[nodiscard]] Top& top() { return top_; }

 private:
  struct Clocks {
    MonotonicTime monotonic;
    LogTime wall;
    [[nodiscard]] int64_t offset_ns() const { return (wall.time_since_epoch() - monotonic.time_since_epoch()).count(); }
  };
  void take(const TransactionRecord& record, const Clocks& now);
  // The access log and `tail` have the same lines.
  void write_line(const TransactionRecord& record, const Caller& caller, const Clocks& now);
  void count_lost();

  std::vector<TransactionRing*> rings_;
  std::vector<uint64_t> lost_seen_;
  size_t waiting_ = 0;  // records of the ring that is being drained
  TransactionNames names_;
  std::string hook_interceptor_;
  AccessLog log_;
  Callers callers_;
  TransactionMetrics metrics_;
  Tail tail_;
  Top top_;
};

}  // namespace lunar::admin
