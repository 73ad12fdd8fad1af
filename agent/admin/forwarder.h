// Passes requests of the control socket on to the gateway process, and gives up on a gateway that hangs.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/admin/http_server.h"
#include "agent/base/event_loop.h"
#include "flowengine/result.h"

namespace lunar::admin {

class Forwarder {
 public:
  // Connects to the unix socket at `path` anew for each request.
  Forwarder(EventLoop& loop, std::string path, std::chrono::milliseconds limit = std::chrono::seconds(1));
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;
  ~Forwarder();

  // A complete answer must be there within the limit; of a streamed one only the beginning. Else the peer gets a 503.
  void forward(const HttpRequest& request, HttpReply reply);
  // The JSON of a GET.
  void ask(std::string_view path, std::function<void(Result<nlohmann::json>)> done);

 private:
  class Call;
  void start(const std::shared_ptr<Call>& call, const std::string& request);

  EventLoop& loop_;
  std::string path_;
  std::chrono::milliseconds limit_;
  std::list<std::shared_ptr<Call>> calls_;
};

}  // namespace lunar::admin
