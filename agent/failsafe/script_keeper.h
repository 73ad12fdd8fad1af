// Keeps the process that runs the scripts of all gateways: it is there before the first of them, and started again when
// it dies.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/failsafe/backoff.h"
#include "agent/failsafe/gateway_process.h"

namespace lunar {

class ScriptKeeper {
 public:
  // `processes`: how many scripts run at a time. `renewed`: another process is there, which nobody is connected to.
  ScriptKeeper(EventLoop& loop, GatewayCommand command, uint32_t processes, std::function<void()> renewed);
  ScriptKeeper(const ScriptKeeper&) = delete;
  ScriptKeeper& operator=(const ScriptKeeper&) = delete;

  void start();
  // So many stream sockets to the process, for one gateway. None: it is not there, and `renewed` follows.
  [[nodiscard]] std::vector<Fd> connect(uint32_t count);

 private:
  void on_ended(const std::string& how);

  EventLoop& loop_;
  GatewayCommand command_;
  uint32_t processes_;
  std::function<void()> renewed_;
  Backoff backoff_;
  MonotonicTime started_at_{};
  std::unique_ptr<GatewayProcess> process_;  // null: waiting for the next attempt
  pid_t pid_ = -1;                           // also after its end
  EventLoop::Source respawn_;
};

}  // namespace lunar
