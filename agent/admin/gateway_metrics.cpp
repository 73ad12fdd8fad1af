#include "agent/admin/gateway_metrics.h"

#include <array>

namespace lunar::admin {
namespace {

constexpr std::array<std::string_view, 4> kFailsafeStates{"detached", "protecting", "bypass", "cooldown"};

void write_failsafe(MetricText& text, const FailsafeReport& report) {
  text.family("lunar_failsafe_state", MetricKind::gauge, "1 for the present state of the failsafe.");
  for (const std::string_view state : kFailsafeStates) {
    text.sample(state == report.state ? 1 : 0, {{"state", state}});
  }
  text.family("lunar_failsafe_transitions_total", MetricKind::counter, "Changes of the failsafe state.");
  for (const auto& transition : report.transitions) {
    text.sample(static_cast<double>(transition.count),
                {{"from", transition.from}, {"to", transition.to}, {"reason", transition.reason}});
  }
}

void write_connections(MetricText& text, const GatewayView& gateway, const GatewayCounters& counters) {
  text.family("lunar_direct_connections_total", MetricKind::counter,
              "Connections of captured programs that the hook let go directly.");
  for (const auto& [reason, count] : gateway.direct_connections()) {
    text.sample(static_cast<double>(count), {{"reason", reason}});
  }
  text.family("lunar_opaque_connections_total", MetricKind::counter, "Connections that are relayed byte for byte.");
  for (size_t reason = 1; reason < kOpaqueReasons; ++reason) {
    text.sample(static_cast<double>(counters.opaque[reason]), {{"reason", name_of(static_cast<OpaqueReason>(reason))}});
  }
  text.family("lunar_tls_connections_total", MetricKind::counter,
              "TLS connections that tls.intercept names, by what became of them.");
  for (const auto& [outcome, count] : counters.tls) text.sample(static_cast<double>(count), {{"outcome", outcome}});
  text.family("lunar_pending_accepts", MetricKind::gauge, "Redirected connections that are not accepted yet.");
  text.sample(static_cast<double>(gateway.pending_accepts()));
  const uint64_t open = counters.open_connections;
  text.family("lunar_remaining_connections_in_pool", MetricKind::gauge, "max_connections minus the open ones.");
  text.sample(static_cast<double>(open < counters.max_connections ? counters.max_connections - open : 0));
}

void write_errors(MetricText& text, const GatewayCounters& counters) {
  text.family("lunar_gateway_errors_total", MetricKind::counter, "Answers made by the gateway for a failure, by code.");
  for (size_t code = 1; code < counters.errors.size(); ++code) {
    if (counters.errors[code] == 0) continue;
    text.sample(static_cast<double>(counters.errors[code]), {{"code", std::to_string(code)}});
  }
}

}  // namespace

std::string write_metrics(const MetricsPage& page) {
  std::string out;
  std::string common;
  append_label(common, "gateway_id", page.instance_id);
  MetricText text(out, std::move(common));
  const GatewayCounters counters = page.gateway.counters();
  text.family("target_info", MetricKind::gauge, "What this instance is.");
  text.sample(1, {{"service_name", "lunar-gateway"}, {"service_version", page.version}});
  write_failsafe(text, page.gateway.failsafe());
  write_connections(text, page.gateway, counters);
  write_errors(text, counters);
  text.family("lunar_access_log_lost_lines_total", MetricKind::counter, "Transactions that are missing in the log.");
  text.sample(static_cast<double>(page.lost_lines));
  page.transactions.write(text);
  page.gateway.write_metrics(text);
  return out;
}

}  // namespace lunar::admin
