// Plain blocking peers for tests of the data path: a scripted provider, a client, and a gateway between them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "agent/gateway/gateway.h"

namespace lunar::test {

// One connection with a limit of 10 s on every call.
class Wire {
 public:
  explicit Wire(Fd socket);
  [[nodiscard]] static Wire connect(const Endpoint& to);

  void send(std::string_view bytes);
  void finish();                                    // FIN
  void abort();                                     // RST
  std::string receive_until(std::string_view end);  // up to and with `end`, or what came before the peer closed
  std::string receive(size_t bytes);
  std::string receive_all();  // until the peer closes
  bool closed_by_peer();      // waits for FIN with nothing before it
  bool reset_by_peer();       // waits for RST
  [[nodiscard]] bool silent_for(std::chrono::milliseconds time) const;
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  [[nodiscard]] bool fill();
  Fd socket_;
  std::string buffered_;
  int error_ = 0;
};

// Serves each connection with `script` on a thread of its own.
class Provider {
 public:
  using Script = std::function<void(Wire&, int connection)>;  // connections are counted from 1
  explicit Provider(Script script);
  ~Provider();
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  Script script_;
  Endpoint address_;  // filled in by opening the listener
  Fd listener_;
  std::atomic<int> connections_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A gateway with one worker and a proxy port on loopback.
class ProxyGateway {
 public:
  using Adjust = std::function<void(LunardConfig&)>;
  explicit ProxyGateway(const Adjust& adjust = {}, DomainLists domains = {}, gateway::GatewayParts flows = {});
  [[nodiscard]] Wire client() const { return Wire::connect(address_); }
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] gateway::Gateway& gateway() { return *gateway_; }
  [[nodiscard]] TransactionRecord next_record();  // waits up to 10 s

 private:
  Endpoint address_;
  std::unique_ptr<gateway::Gateway> gateway_;
};

[[nodiscard]] Fd listen_on_loopback(Endpoint& address);
[[nodiscard]] bool eventually(const std::function<bool()>& condition);  // within 10 s

}  // namespace lunar::test
