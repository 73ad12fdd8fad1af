// The page that Prometheus reads.
#pragma once

#include <string>

#include "agent/admin/gateway_view.h"
#include "agent/admin/transaction_metrics.h"

namespace lunar::admin {

struct MetricsPage {
  std::string instance_id;
  std::string version;
  GatewayView& gateway;
  const TransactionMetrics& transactions;
  uint64_t lost_lines = 0;
};

[[nodiscard]] std::string write_metrics(const MetricsPage& page);

}  // namespace lunar::admin
