// Keeps a gateway running: starts it again when it dies, and replaces it without losing anything when asked to.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/event_loop.h"
#include "agent/failsafe/backoff.h"
#include "agent/failsafe/gateway_process.h"
#include "flowengine/result.h"

namespace lunar {

struct KeeperLimits {
  Nanoseconds back_within = std::chrono::seconds(1);    // after a death; then those who wait are reset
  Nanoseconds start_within = std::chrono::seconds(15);  // from start to ready; then it is killed
  Nanoseconds drain = std::chrono::hours(1);            // of a replaced gateway: long streams are not cut
  Nanoseconds leave_within = std::chrono::seconds(3);   // beyond the time it was given; then it is killed
  Nanoseconds steady_after = std::chrono::seconds(10);  // ready for so long: its death is the first one again
  Nanoseconds backoff_first = std::chrono::milliseconds(100), backoff_most = std::chrono::seconds(5);
  size_t draining = 4;  // replaced gateways that may be draining at a time
};

class GatewayKeeper {
 public:
  struct StartKit {
    nlohmann::json message;
    std::vector<int> fds;  // borrowed until the next event
  };
  struct Events {
    // For every start, also of a replacement: opens the listeners again if they are closed.
    std::function<Result<StartKit>()> prepare;
    std::function<void()> serving;                 // a gateway, perhaps another one, has said that it is ready
    std::function<void(const std::string&)> lost;  // there was a ready one, now there is none
    std::function<void()> give_up_queue;           // not back in time: shut the listeners, those who wait are reset
    std::function<void(ChannelMessage)> message;   // what is not about starting and ending
  };
  using Done = std::function<void(Result<>)>;

  GatewayKeeper(EventLoop& loop, GatewayCommand command, KeeperLimits limits, Events events);
  GatewayKeeper(const GatewayKeeper&) = delete;
  GatewayKeeper& operator=(const GatewayKeeper&) = delete;
  ~GatewayKeeper();  // kills what still runs

  void start();
  // A new gateway on the same listeners; when it is ready the old one hands over and drains. `done` exactly once.
  void replace(Done done);
  // Ends all gateways, which get `grace` to finish; `stopped` when the last one is gone. Called again: less grace.
  void stop(Nanoseconds grace, std::function<void()> stopped);
  void kill();  // the serving gateway, because it hangs: it is started again

  [[nodiscard]] Result<> send(const nlohmann::json& message, std::span<const int> fds = {});  // to the serving one
  void tell_all(const nlohmann::json& message);                                               // draining ones too
  void for_each(const std::function<void(GatewayProcess&)>& act);  // all that run, also those that start
  [[nodiscard]] bool serving() const { return current_ != nullptr && current_->ready; }
  [[nodiscard]] std::optional<pid_t> pid() const;  // of the serving gateway, or the one that starts
  [[nodiscard]] size_t draining() const { return draining_.size(); }
  [[nodiscard]] uint64_t deaths() const { return deaths_; }

 private:
  struct Member {
    std::unique_ptr<GatewayProcess> process;
    pid_t pid = -1;  // also after its end
    bool ready = false;
    MonotonicTime ready_at;
    EventLoop::Source limit;  // starting: until ready; draining: until gone
  };
  [[nodiscard]] Result<std::unique_ptr<Member>> spawn();
  void hand_over(Member& from, Member& to);
  void start_current();
  void on_message(Member& member, ChannelMessage message);
  void on_ready(Member& member);
  void on_ended(Member& member, const std::string& how);
  void current_ended(const std::string& how);
  void successor_ended(const std::string& how);
  void queue_waited_too_long();
  // `handover`: where it sends its idle connections. Killed when it outlives its grace.
  void drain(Member& member, Nanoseconds grace, std::optional<int> handover = {});
  void respawn_after(Nanoseconds delay);
  void check_stopped();

  EventLoop& loop_;
  GatewayCommand command_;
  KeeperLimits limits_;
  Events events_;
  Backoff backoff_;
  std::unique_ptr<Member> current_, successor_;
  std::vector<std::unique_ptr<Member>> draining_;
  Done replaced_;
  std::function<void()> stopped_;
  bool stopping_ = false;
  uint64_t deaths_ = 0;
  EventLoop::Source respawn_, queue_limit_;
};

}  // namespace lunar
