// One request at a time over one connection that is kept, on an event loop: what an exporter needs to hand over a
// batch. Nothing of an answer is kept but its status.
#pragma once

#include <functional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/http/body.h"
#include "agent/state/secure_channel.h"

namespace lunar {

class HttpPost {
 public:
  struct Answer {
    int status = 0;     // 0: none came
    std::string fault;  // why not
  };
  using Done = std::function<void(const Answer&)>;
  using Secure = std::function<Result<std::unique_ptr<SecureChannel>>()>;

  // `timeout` is for a whole exchange, connecting included. `secure` makes the TLS side of each connection; null:
  // everything goes in the clear.
  HttpPost(EventLoop& loop, Nanoseconds timeout, Secure secure = nullptr);
  HttpPost(const HttpPost&) = delete;
  HttpPost& operator=(const HttpPost&) = delete;
  ~HttpPost() { close(); }

  [[nodiscard]] bool busy() const { return static_cast<bool>(done_); }
  [[nodiscard]] bool connected() const { return static_cast<bool>(socket_); }

  // `request` is a whole HTTP/1.1 message. Goes over the open connection, else over a new one to `to`. `done` is called
  // once, never inside of this call, and may send again.
  void send(const Endpoint& to, std::string request, Done done);
  void close();  // of an idle connection

 private:
  [[nodiscard]] Result<> connect(const Endpoint& to);
  void on_event(uint32_t events);
  void write();
  [[nodiscard]] std::string_view outgoing();
  [[nodiscard]] bool all_sent() const;
  void take_leave();
  void read();
  void read_idle();
  [[nodiscard]] std::string decrypt(std::string_view bytes);
  void take_encrypted(std::string_view bytes);
  void take_bytes(std::string_view bytes);
  void take_head();
  void take_body(std::string_view bytes);
  void take_end();
  void finish(const Answer& answer, bool keep);

  EventLoop& loop_;
  Nanoseconds timeout_;
  Secure secure_;
  Fd socket_;
  std::unique_ptr<SecureChannel> channel_;  // of this connection; null: none
  EventLoop::Source events_;
  EventLoop::Source deadline_;
  uint64_t exchange_ = 0;  // which one it is; `done` may have begun another
  std::string request_;
  size_t written_ = 0;  // of it, to the socket or into the channel
  std::string head_;    // of the answer, as far as it is there
  http::BodyScanner body_;
  int status_ = 0;  // 0: the head is not complete
  bool keep_ = false;
  std::string fault_;  // found before anything could be sent
  Done done_;
};

}  // namespace lunar
