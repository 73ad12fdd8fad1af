// Where in the gateway process everything goes that flows leave behind: metrics, HAR file, traces, discovery state. On
// the admin thread, but for the queue.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/config/gateway_config.h"
#include "agent/config/lunard_config.h"
#include "agent/net/resolver.h"
#include "agent/state/discovery.h"
#include "agent/state/flow_reports.h"

namespace lunar {

class TlsClientContext;

class FlowOutlets {
 public:
  FlowOutlets(EventLoop& loop, const LunardConfig& config, OtlpResource resource);
  FlowOutlets(const FlowOutlets&) = delete;
  FlowOutlets& operator=(const FlowOutlets&) = delete;

  [[nodiscard]] FlowRecordQueue& queue() { return queue_; }  // for workers

  // What TLS towards the collectors of a configuration needs. Before the sandbox, and before set_configuration() with
  // another one: of files that cannot be read any more then, what was read before is used on.
  void read_certificates(const GatewayConfig& config);
  void begin();  // after the sandbox: what an earlier process knew
  void set_configuration(const std::shared_ptr<const Plan>& plan, std::shared_ptr<const MetricsSpec> metrics,
                         const GatewayConfig& config);
  void set_skipped_files(size_t files) { reports_.metrics().set_skipped_files(files); }
  void count_reload(bool accepted) { reports_.metrics().count_reload(accepted); }
  void observe(const CallView& call) {
    discovery_.add(call);
    reports_.observe(call);
  }

  void drain();  // takes what the workers have left up to now
  void write(MetricText& text, const FlowGauges& now);
  // As of the last drain().
  [[nodiscard]] uint64_t runs_of(std::string_view flow) const { return reports_.metrics().runs_of(flow); }
  [[nodiscard]] std::string discovery() const { return discovery_.text(); }
  Result<> reopen();  // the exporter's files
  Result<> flush();
  // Writes what is buffered. Spans are on their way then: the loop has to run on until finished().
  void finish();
  [[nodiscard]] bool finished() const;

 private:
  // Addresses that a thread of the resolver has found, until the loop takes them.
  struct Found {
    TraceSender::Resolved done;
    std::vector<Endpoint> addresses;
  };
  struct CollectorTls {
    std::string rule;  // what gateway_config.yaml says of the host, as a key
    Result<std::shared_ptr<const TlsClientContext>> context;
  };
  void set_har_file(const FileExporter& exporter);
  void set_trace_senders(const GatewayConfig& config);
  [[nodiscard]] std::unique_ptr<TraceSender> sender_to(const std::string& endpoint);
  [[nodiscard]] Result<std::unique_ptr<SecureChannel>> open_channel(const std::string& host, uint16_t port) const;
  void look_up(const std::string& host, uint16_t port, TraceSender::Resolved done);
  void report(const Result<>& outcome);
  [[nodiscard]] std::string discovery_path() const;

  EventLoop& loop_;
  LunardConfig config_;
  OtlpResource resource_;
  Fd wake_;
  FlowRecordQueue queue_;
  FlowReports reports_;
  Discovery discovery_;
  std::mutex found_mutex_;
  std::vector<Found> found_;
  std::string har_key_, trace_key_, own_trace_key_;  // of the exporters that are open
  std::map<std::string, CollectorTls> tls_of_;       // of https collectors, by host
  bool har_failing_ = false;
  MonotonicTime finish_end_{};  // spans that are not sent by then are lost
  EventLoop::Source wake_source_, drain_timer_, flush_timer_, save_timer_;
  std::unique_ptr<Resolver> resolver_;  // has threads, which must begin behind the sandbox and end before the rest
};

}  // namespace lunar
