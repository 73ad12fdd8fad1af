// One connection of the control plane's HTTP server: reads a request, waits for its answer, writes it, and again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/admin/http_request.h"
#include "agent/admin/http_server.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"

namespace lunar::admin {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `ended` is called once, when the connection has been closed by whichever side.
  HttpConnection(Fd socket, const HttpLimits& limits, const HttpListener& listener);

  void start(EventLoop& loop, std::function<void()> ended);
  void close();
  [[nodiscard]] bool closed() const { return !socket_; }

  // The answer to the request that is being served; used by HttpReply.
  void answer(const HttpResponse& response);
  void begin_stream(int status, std::string_view content_type);
  bool stream(std::string_view bytes);
  void end_stream();
  void on_gone(std::function<void()> callback) { on_gone_ = std::move(callback); }

 private:
  enum class Phase : uint8_t { reading, serving, streaming, closing };

  void on_ready(uint32_t events);
  void read_some();
  void consume();
  void serve_request();
  void refuse(int status);
  void answered();
  void write_head(int status, std::string_view content_type, std::string_view fields);
  void flush();
  void update_interest();

  const HttpLimits& limits_;
  const HttpListener& listener_;
  Fd socket_;
  EventLoop::Source io_;
  EventLoop::Source deadline_;
  std::function<void()> ended_;
  std::function<void()> on_gone_;

  Phase phase_ = Phase::reading;
  RequestReader reader_;
  bool gated_ = false;
  bool peer_finished_ = false;
  bool keep_alive_ = true;
  bool http10_ = false;
  bool head_only_ = false;
  bool consuming_ = false;
  uint32_t peer_pid_ = 0;
  uint32_t peer_uid_ = 0;
  std::string input_;   // read, but not of the present request
  std::string output_;  // not yet taken by the kernel
  size_t sent_ = 0;
};

}  // namespace lunar::admin
