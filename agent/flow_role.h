// Flows in the gateway process: the configuration that was handed over becomes a plan, and the state of quotas lives on
// the disk. On the admin thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/admin/gateway_view.h"
#include "agent/base/channel.h"
#include "agent/base/event_loop.h"
#include "agent/config/config_folder.h"
#include "agent/config/gateway_config.h"
#include "agent/config/gateway_start.h"
#include "agent/config/lunard_config.h"
#include "agent/config/source_report.h"
#include "agent/failsafe/sandbox.h"
#include "agent/flow_outlets.h"
#include "agent/gateway/gateway.h"

namespace lunar {

// The configuration of one moment, compiled.
struct LoadedFlows {
  Compiled compiled;
  LoadedGatewayConfig gateway;
  Diagnostics findings;  // all of them
  Sources sources;
};

// `lenient` at boot: files with errors are left out; else the plan is null where there is one.
[[nodiscard]] LoadedFlows load_flows(const ConfigBundle& bundle, const LunardConfig& config, bool lenient);
// What travels as a memory file beside the messages `start` and `reload`.
// The last descriptor of the message, which is taken out of it.
[[nodiscard]] Result<ConfigBundle> take_bundle(ChannelMessage& message);

// The last `scripts` descriptors of a message, which are taken out of it: see Gateway::connect_scripts().
[[nodiscard]] std::vector<Fd> take_script_sockets(ChannelMessage& message);

// {"accepted","msg","error","diagnostics"} of a reload or of a check.
[[nodiscard]] nlohmann::json outcome_of(const LoadedFlows& loaded, bool activated);

class FlowRole {
 public:
  FlowRole(EventLoop& loop, const GatewayStart& start);

  // Enters the sandbox: once, before any thread is started. From then on the process can write only what this
  // configuration and lunard.yaml name.
  [[nodiscard]] Result<> confine(const LoadedFlows& loaded);
  // After that, once; the gateway outlives this object's use.
  void begin(gateway::Gateway& gateway, LoadedFlows loaded);
  void activate(LoadedFlows loaded);
  // A message `reload`: {"accepted","msg","error","diagnostics"}. `loaded` is called with what a configuration says
  // that takes effect.
  [[nodiscard]] Result<nlohmann::json> reload(ChannelMessage& message, bool activate,
                                              const std::function<void(const Diagnostics&)>& loaded);
  // Saves what has to outlive the process. The loop has to run on until finished().
  void finish();
  [[nodiscard]] bool finished() const { return gateway_ == nullptr || outlets_.finished(); }

  [[nodiscard]] uint64_t flows_loaded() const { return plan_ == nullptr ? 0 : plan_->flows.size(); }
  [[nodiscard]] FlowOutlets& outlets() { return outlets_; }
  [[nodiscard]] const std::shared_ptr<const MetricsSpec>& metrics_spec() const { return metrics_spec_; }
  void write_metrics(MetricText& text);
  [[nodiscard]] nlohmann::json describe_flows();
  [[nodiscard]] nlohmann::json describe_files() const { return lunar::describe_files(sources_); }
  [[nodiscard]] nlohmann::json describe_quotas() const;

 private:
  void check_exporter_folder(LoadedFlows& loaded) const;
  void restore();
  void save();

  LunardConfig config_;
  FlowOutlets outlets_;
  Confinement confinement_;  // of this process
  gateway::Gateway* gateway_ = nullptr;
  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<const MetricsSpec> metrics_spec_;  // null: no metrics.yaml
  Sources sources_;                                  // of the plan
  EventLoop::Source save_timer_;
};

}  // namespace lunar
