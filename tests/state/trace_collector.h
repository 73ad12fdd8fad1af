// A collector of traces: one listening socket on 127.0.0.1, answered as the test says, on the same event loop as the
// sender. In the clear, or with TLS.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/http/body.h"
#include "agent/net/tls_engine.h"

namespace lunar {

struct CollectedRequest {
  std::string head, body;
  int connection = 0;  // from 1
};

class TraceCollector {
 public:
  // What to send for the n-th request (from 1); nothing: silence; "close": closes the connection.
  using Script = std::function<std::string(size_t number)>;
  using Secure = std::function<std::unique_ptr<TlsEngine>()>;  // the server's side of a new connection
  static constexpr const char* ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

  explicit TraceCollector(
      EventLoop& loop, Script script = [](size_t) { return std::string(ok); }, Secure secure = nullptr)
      : loop_(loop),
        script_(std::move(script)),
        secure_(std::move(secure)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_storage address{};
    const socklen_t length = Endpoint{*IpAddress::parse("127.0.0.1"), 0}.to(address);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    socklen_t size = sizeof(address);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    at_ = Endpoint::from(address);
    accepting_ = loop_.io(listener_.get(), EPOLLIN, [this](uint32_t) { accept(); });
  }

  [[nodiscard]] const Endpoint& at() const { return at_; }
  [[nodiscard]] const std::vector<CollectedRequest>& requests() const { return requests_; }
  [[nodiscard]] int connections() const { return accepted_; }
  void close_connections() { peers_.clear(); }
  void cut_answers(size_t bytes) { piece_ = bytes; }  // into so many a TLS record
  // TLS ended as it should, by close_notify of the sender.
  [[nodiscard]] int orderly_ends() const { return orderly_ends_; }

 private:
  struct Peer {
    Fd socket;
    int number = 0;
    std::string bytes;
    std::unique_ptr<TlsEngine> tls;
    EventLoop::Source events;
  };

  void accept() {
    Peer& peer = peers_.emplace_back();
    peer.socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK));
    peer.number = ++accepted_;
    if (secure_) peer.tls = secure_();
    peer.events = loop_.io(peer.socket.get(), EPOLLIN, [this, &peer](uint32_t) { read(peer); });
  }

  void read(Peer& peer) {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(peer.socket.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0 || !take(peer, {buffer.data(), static_cast<size_t>(count)})) return drop(peer);
    http::RequestHead head;
    if (http::parse_request_head(peer.bytes, head) != http::ParseState::complete) return;
    const size_t whole = head.size + static_cast<size_t>(head.framing.length);
    if (peer.bytes.size() < whole) return;
    requests_.push_back(
        {peer.bytes.substr(0, head.size), peer.bytes.substr(head.size, whole - head.size), peer.number});
    peer.bytes.erase(0, whole);
    const std::string answer = script_(requests_.size());
    if (answer == "close") return drop(peer);
    send(peer, answer);
    if (answer.find("Connection: close") != std::string::npos) drop(peer);
  }

  // False: the connection has ended.
  bool take(Peer& peer, std::string_view bytes) {
    if (!peer.tls) {
      peer.bytes += bytes;
      return true;
    }
    std::array<char, 16384> plaintext;
    for (size_t count = plaintext.size(); count == plaintext.size();) {
      count = peer.tls->read(bytes, plaintext);
      peer.bytes.append(plaintext.data(), count);
    }
    pass_on(peer);
    orderly_ends_ += peer.tls->established() && peer.tls->state() == TlsState::peer_closed ? 1 : 0;
    return peer.tls->state() == TlsState::handshaking || peer.tls->state() == TlsState::open;
  }

  void send(Peer& peer, std::string_view text) const {
    if (!peer.tls) {
      ::send(peer.socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      return;
    }
    while (!text.empty()) {
      const size_t taken = peer.tls->write(text.substr(0, piece_));
      REQUIRE(taken > 0);
      text.remove_prefix(taken);
      pass_on(peer);
    }
  }

  static void pass_on(Peer& peer) {
    const std::string_view output = peer.tls->output();
    peer.tls->sent(static_cast<size_t>(
        std::max<ssize_t>(::send(peer.socket.get(), output.data(), output.size(), MSG_NOSIGNAL), 0)));
  }

  void drop(Peer& peer) {
    peers_.remove_if([&](const Peer& one) { return &one == &peer; });
  }

  EventLoop& loop_;
  Script script_;
  Secure secure_;
  size_t piece_ = 16384;
  int orderly_ends_ = 0;
  Fd listener_;
  Endpoint at_;
  EventLoop::Source accepting_;
  std::list<Peer> peers_;
  int accepted_ = 0;
  std::vector<CollectedRequest> requests_;
};

// Runs the loop until `done`, or fails the test after a while.
template <class Condition>
void run_until(EventLoop& loop, Condition done) {
  const MonotonicTime limit = monotonic_now() + std::chrono::seconds(20);
  while (!done()) {
    REQUIRE(monotonic_now() < limit);
    loop.run_once(std::chrono::milliseconds(20));
  }
}

inline void run_for(EventLoop& loop, Nanoseconds time) {
  const MonotonicTime limit = monotonic_now() + time;
  while (monotonic_now() < limit) loop.run_once(std::chrono::milliseconds(1));
}

}  // namespace lunar
