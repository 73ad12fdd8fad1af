// The privileged process: opens what needs rights, keeps a gateway running, and decides whether the hook may redirect.
// It parses nothing that comes from the network, but for new configurations that a holder of the key sends. Names in
// providers' certificates, which the local authority signs, come to it as text and are checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/admin/control_server.h"
#include "agent/admin/gateway_view.h"
#include "agent/authority_role.h"
#include "agent/base/event_loop.h"
#include "agent/capture_role.h"
#include "agent/config/lunard_config.h"
#include "agent/configuration_role.h"
#include "agent/failsafe/gateway_keeper.h"
#include "agent/failsafe/guard.h"
#include "agent/failsafe/listener_set.h"
#include "agent/failsafe/own_cgroup.h"
#include "agent/failsafe/prober.h"
#include "agent/failsafe/script_keeper.h"
#include "agent/failsafe/service_link.h"
#include "agent/failsafe/transition_record.h"

namespace lunar {

enum class ExitCode : int { clean = 0, fatal = 1, usage = 2, configuration = 3, listener = 4, hook = 5 };

class Supervisor {
 public:
  Supervisor(EventLoop& loop, LunardConfig config);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  // Everything up to the start of the first gateway. Anything but `clean` has been logged and ends lunard.
  [[nodiscard]] ExitCode open(std::vector<NamedFd> stored);
  [[nodiscard]] ExitCode run();

  // For the control socket.
  [[nodiscard]] const LunardConfig& config() const { return config_; }
  [[nodiscard]] Capture* capture() { return capture_.get(); }              // null: capture is off or cannot work here
  [[nodiscard]] const std::string& degraded() const { return degraded_; }  // why there is no capture; empty: there is
  [[nodiscard]] const ListenerSet& listeners() const { return listeners_; }
  [[nodiscard]] const GatewayKeeper& keeper() const { return *keeper_; }
  [[nodiscard]] Nanoseconds uptime() const { return monotonic_now() - started_; }
  [[nodiscard]] nlohmann::json failsafe() const;  // spec §6
  void set_operator_bypass(bool on);
  void look_again();  // after a change of what is attached
  void restart_gateway(GatewayKeeper::Done done) { keeper_->replace(std::move(done)); }
  [[nodiscard]] ConfigurationRole& configuration() { return configuration_; }

 private:
  [[nodiscard]] ExitCode open_places();
  [[nodiscard]] ExitCode open_listeners(std::vector<NamedFd>& stored);
  [[nodiscard]] ExitCode open_capture(std::vector<NamedFd> stored);
  [[nodiscard]] ExitCode open_control();
  void open_keeper();
  void open_signals();
  void store_descriptors();

  [[nodiscard]] Result<> reopen_workers();
  [[nodiscard]] Result<GatewayKeeper::StartKit> start_kit();
  void answer_lookups(Fd answering);
  void connect_scripts();  // of all gateways, to another script host
  void on_serving();
  void on_lost();
  void on_queue_given_up();
  void on_message(const ChannelMessage& message);
  void on_probe(const ProbeResult& result);
  void on_namespace_listeners(std::span<const WorkerListener> opened);

  void tick();  // several times within a heartbeat deadline
  void each_second();
  void observe();
  void note(const std::optional<GuardTransition>& transition);
  void report_to_gateway();
  void shut_down();
  void settle();
  [[nodiscard]] admin::FailsafeReport failsafe_report() const;

  EventLoop& loop_;
  LunardConfig config_;
  uint32_t workers_;
  MonotonicTime started_ = monotonic_now();
  std::optional<Identity> identity_;
  std::optional<OwnCgroup> cgroup_;
  std::string degraded_;
  ServiceLink service_;
  ListenerSet listeners_;
  std::unique_ptr<Capture> capture_;
  Guard guard_;
  TransitionRecord transitions_;
  Prober prober_;
  std::unique_ptr<ScriptKeeper> scripts_;  // outlives the gateways
  std::unique_ptr<GatewayKeeper> keeper_;
  std::unique_ptr<admin::ControlHost> control_;
  std::unique_ptr<admin::ControlServer> control_server_;
  std::string control_path_;              // bound by us; empty: not yet
  MonotonicTime answered_at_ = started_;  // when a probe was answered, or a gateway got ready
  bool ready_said_ = false;
  bool stopping_ = false;
  ConfigurationRole configuration_;
  Fd bundle_;  // of the start message that is being sent
  struct Lookup {
    Fd answering;
    EventLoop::Source source;  // ends before the descriptor that it watches
  };
  std::map<int, Lookup> lookups_;             // one a gateway, by descriptor
  std::unique_ptr<AuthorityRole> authority_;  // null: no TLS is opened
  Fd lookup_asking_, minting_asking_;         // on their way to the gateway that starts
  std::vector<Fd> script_sockets_;            // likewise
  MonotonicTime settled_by_;
  Nanoseconds grace_{};
  EventLoop::Source tick_, second_, settle_;
  std::vector<EventLoop::Source> signals_;
};

}  // namespace lunar
