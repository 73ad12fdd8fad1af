// The control socket: served by the supervisor, so that it answers also while the gateway hangs or is being replaced.
#pragma once

#include <memory>
#include <string>

#include "agent/admin/control_host.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar::admin {

class ControlServer {
 public:
  // `listener`: a listening unix socket; its file permissions are the access rule. `gateway_socket`: the path of the
  // gateway's internal socket. `host` outlives this object.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> create(EventLoop& loop, Fd listener, ControlHost& host,
                                                                     std::string gateway_socket);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();

 private:
  struct State;
  explicit ControlServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lunar::admin
