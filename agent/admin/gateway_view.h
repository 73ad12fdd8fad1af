// What the admin side of the gateway process reads from, and asks of, the rest of that process. Row 5 implements it
// on top of agent/gateway and the channel. Everything is called on the admin loop's thread and must not wait.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/admin/control_host.h"
#include "agent/base/metric_text.h"
#include "agent/base/transaction.h"
#include "agent/state/call_facts.h"
#include "flowengine/result.h"

namespace lunar {
struct MetricsSpec;
}

namespace lunar::admin {

// Sums over all workers, since start of the process where not said otherwise.
struct GatewayCounters {
  uint64_t open_connections = 0;  // now
  uint64_t max_connections = 0;   // the limit
  uint64_t accepted = 0;
  uint64_t requests = 0;
  std::array<uint64_t, kOpaqueReasons> opaque{};           // connections that became opaque, by OpaqueReason
  std::array<uint64_t, 32> errors{};                       // answers with x-lunar-error, by code
  std::vector<std::pair<std::string_view, uint64_t>> tls;  // connections that tls.intercept names, by outcome
};

struct WorkerView {
  bool alive = false;  // its heartbeat is younger than the deadline
  bool busy = false;
  uint64_t heartbeat_age_ms = 0;
  uint64_t open_connections = 0;
};

struct SkippedFile {
  std::string file;
  int line = 0;
  int column = 0;
  std::string text;
};

struct Readiness {
  bool serving = false;               // the data path answers: at least one worker is alive
  bool ready = false;                 // listeners are bound, a configuration is in place, not shutting down
  std::vector<std::string> reasons;   // why not serving, not ready
  std::vector<std::string> degraded;  // promises that are weakened: hook not attached, file skipped
  uint64_t flows_loaded = 0;
  std::vector<SkippedFile> files_skipped;
};

// The supervisor tells it to the gateway over the channel at each transition (and at start).
struct FailsafeReport {
  std::string state = "detached";
  std::string since;  // RFC 3339
  std::string reason;
  struct Transition {
    std::string from, to, reason;
    uint64_t count = 0;
  };
  std::vector<Transition> transitions;
  [[nodiscard]] nlohmann::json to_json() const;
  [[nodiscard]] static FailsafeReport from_json(const nlohmann::json& report);  // lenient: absent members keep defaults
};

class GatewayView {
 public:
  GatewayView() = default;
  GatewayView(const GatewayView&) = delete;
  GatewayView& operator=(const GatewayView&) = delete;
  virtual ~GatewayView() = default;

  [[nodiscard]] virtual GatewayCounters counters() const = 0;
  [[nodiscard]] virtual std::vector<WorkerView> workers() const = 0;
  [[nodiscard]] virtual Readiness readiness() const = 0;
  [[nodiscard]] virtual FailsafeReport failsafe() const = 0;
  [[nodiscard]] virtual uint64_t pending_accepts() const = 0;
  // Connections that the hook let go direct, by reason name; from the hook's per-reason counters.
  [[nodiscard]] virtual std::vector<std::pair<std::string, uint64_t>> direct_connections() const = 0;
  // Passed on to the supervisor.
  virtual Result<> request_configuration(const ConfigurationRequest& request, ConfigurationAnswered done) = 0;
  [[nodiscard]] virtual nlohmann::json loaded_files() const = 0;  // [{"type","file_name","content","md5"}], masked
  [[nodiscard]] virtual nlohmann::json flows() = 0;               // {"flows","skipped"}
  [[nodiscard]] virtual nlohmann::json quotas() const = 0;        // {"quotas"}
  [[nodiscard]] virtual nlohmann::json tls() const = 0;           // {"intercepting","outcomes","passed_through"}
  [[nodiscard]] virtual std::string discovery() = 0;              // JSON text
  virtual void write_metrics(MetricText& text) = 0;               // of flows, behind those of the gateway
  virtual void observe(const CallView& call) = 0;                 // each attempt
  // metrics.yaml as it is in effect; null: there is none.
  [[nodiscard]] virtual std::shared_ptr<const MetricsSpec> metrics_spec() const { return nullptr; }
  virtual Result<> reopen_exporters() = 0;
  virtual Result<> flush_exporters() = 0;
  // PUT /failsafe on the TCP port: passed on to the supervisor.
  virtual Result<> request_failsafe(FailsafeMode mode) = 0;
};

}  // namespace lunar::admin
