// One client connection of the load generator: sends a numbered request and checks every byte of its answer.
#pragma once

#include <chrono>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "tests/bench/peer/channel.h"
#include "tests/bench/peer/reactor.h"
#include "tests/bench/peer/wire.h"

namespace lunar::bench {

class Client;

// What a load does when one of its connections has something to say. Exactly one call per event; after answered()
// the connection is free for the next request, after closed() and failed() it has no descriptor any more.
class ClientOwner {
 public:
  virtual void answered(Client& client) = 0;
  virtual void closed(Client& client) = 0;                   // by the other side, between two requests
  virtual void failed(Client& client, const char* why) = 0;  // anything that a correct gateway never does

 protected:
  ~ClientOwner() = default;
};

// What all connections of a load share.
struct ClientContext {
  Reactor& reactor;
  const Pattern& pattern;
  Request& request;
  uint64_t body_size;
  std::string& scratch;
  uint64_t& next_number;
  const TlsContext* tls = nullptr;  // null: connections in clear
};

class Client final : public Watcher {
 public:
  Client(const ClientContext& context, ClientOwner& owner) : context_(context), owner_(owner) {}

  void open(const Endpoint& target);
  void request(MonotonicTime scheduled);
  void close() { channel_.close(); }
  void ready(uint32_t events) override;

  [[nodiscard]] bool is_open() const { return channel_.is_open(); }
  [[nodiscard]] bool busy() const { return state_ != State::idle; }
  [[nodiscard]] MonotonicTime scheduled() const { return scheduled_; }

  // Whether the kernel hook turned the connection to the gateway. The application cannot tell by any address, and is
  // not meant to; the size of a segment shows the interface.
  [[nodiscard]] bool runs_over_loopback() const;

 private:
  enum class State : uint8_t { idle, sending, head, body };

  void send_request();
  void watch_writable(bool on);
  bool receive();
  void take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  bool body_is_right(std::string_view bytes) const;
  void fail(const char* why);

  const ClientContext& context_;
  ClientOwner& owner_;
  Channel channel_;
  State state_ = State::idle;
  bool waits_writable_ = false;
  Number number_{};
  uint64_t body_seen_ = 0;
  MonotonicTime scheduled_{};
  std::string carry_;  // an incomplete head
};

}  // namespace lunar::bench
