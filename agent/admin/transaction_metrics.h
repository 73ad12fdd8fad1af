// The general metrics of attempts, fed with the records of workers and with who called.
#pragma once

#include <functional>

#include "agent/admin/callers.h"
#include "agent/base/metric_text.h"
#include "agent/base/transaction.h"
#include "agent/state/general_metrics.h"

namespace lunar::admin {

class TransactionMetrics {
 public:
  // Opaque connections are not attempts and not counted here.
  // `observe`, where it is set, sees each attempt as well.
  void add(const TransactionRecord& record, const Caller& caller);
  void observe_with(std::function<void(const CallView&)> observe) { observe_ = std::move(observe); }
  void set_spec(std::shared_ptr<const MetricsSpec> spec) { general_.set_spec(std::move(spec)); }
  void write(MetricText& text) const { general_.write(text); }

 private:
  GeneralMetrics general_;
  std::function<void(const CallView&)> observe_;
};

}  // namespace lunar::admin
