// The kernel side as the supervisor uses it: the hook, what it is told about this host, and what is attached.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/event_loop.h"
#include "agent/config/gateway_start.h"
#include "agent/config/lunard_config.h"
#include "agent/failsafe/guard.h"
#include "agent/failsafe/listener_set.h"
#include "agent/failsafe/own_cgroup.h"
#include "agent/redirect/attachments.h"
#include "agent/redirect/heartbeat.h"
#include "agent/redirect/hook.h"
#include "agent/redirect/netns_listener.h"
#include "agent/redirect/routes.h"
#include "flowengine/result.h"

namespace lunar {

class Capture {
 public:
  struct Setup {
    const LunardConfig& config;
    uint32_t workers;
    const OwnCgroup& cgroup;
    std::vector<NamedFd> stored;    // a predecessor's, from the fd store
    NetnsListeners::Opened opened;  // listeners in another namespace: for the gateway
  };
  // Loads, attaches once to see that it can be done, restores the attachments. Nothing is redirected yet.
  [[nodiscard]] static Result<std::unique_ptr<Capture>> open(EventLoop& loop, Setup setup);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Makes the workers' ports known to the hook.
  [[nodiscard]] Result<> listen_on(const ListenerSet& listeners);
  // Arms, disarms, attaches, detaches. Links are in the kernel only while something is attached.
  void apply(const GuardDecision& decision);
  void gateway_died(uint32_t workers);  // disarms, and makes the heartbeats stale at once
  void refresh();                       // once a second
  // Adds what a gateway gets of the kernel side: listeners in other namespaces, and maps.
  void give_to(GatewayStart& start, std::vector<int>& fds) const;

  [[nodiscard]] bool capturing() const;  // something is attached, and the kernel lets us redirect it
  [[nodiscard]] WorkerSet alive(uint32_t workers, MonotonicTime now) const;
  [[nodiscard]] std::optional<Nanoseconds> heartbeat_age(uint32_t workers, MonotonicTime now) const;  // the youngest
  [[nodiscard]] const std::string& fault() const { return fault_; }  // why links cannot be attached; empty: they can

  [[nodiscard]] Hook& hook() { return *hook_; }
  [[nodiscard]] const Hook& hook() const { return *hook_; }
  [[nodiscard]] Attachments& attachments() { return *attachments_; }

 private:
  Capture(Nanoseconds deadline, std::string ancestor, std::string own)
      : deadline_(deadline), ancestor_(std::move(ancestor)), own_(std::move(own)) {}
  [[nodiscard]] Result<> set_up(EventLoop& loop, Setup& setup);
  [[nodiscard]] Result<> attach_links();

  Nanoseconds deadline_;
  std::string ancestor_, own_;  // directories of cgroups
  unsigned looks_without_target_ = 0;
  std::string fault_;
  std::unique_ptr<Hook> hook_;
  std::optional<Heartbeats> heartbeats_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<NetnsListeners> netns_;
  std::unique_ptr<Attachments> attachments_;
  EventLoop::Source routes_source_, attachments_source_;
};

}  // namespace lunar
