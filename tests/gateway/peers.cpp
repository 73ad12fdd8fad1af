#include "tests/gateway/peers.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/config/lunard_config.h"

namespace lunar::test {
namespace {

constexpr int patience_ms = 10'000;

bool readable(int fd, int milliseconds) {
  pollfd poll_for{fd, POLLIN, 0};
  return poll(&poll_for, 1, milliseconds) == 1;
}

}  // namespace

Wire::Wire(Fd socket) : socket_(std::move(socket)) {
  timeval limit{patience_ms / 1000, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Wire Wire::connect(const Endpoint& to) {
  Fd socket(::socket(to.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t length = to.to(address);
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  return Wire(std::move(socket));
}

void Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

void Wire::finish() { shutdown(socket_.get(), SHUT_WR); }

void Wire::abort() {
  linger now{1, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_.reset();
}

bool Wire::fill() {
  char bytes[65536];
  ssize_t got = recv(socket_.get(), bytes, sizeof bytes, 0);
  if (got < 0) error_ = errno;
  if (got <= 0) return false;
  buffered_.append(bytes, static_cast<size_t>(got));
  return true;
}

std::string Wire::receive_until(std::string_view end) {
  size_t at = buffered_.find(end);
  while (at == std::string::npos && fill()) at = buffered_.find(end);
  size_t length = at == std::string::npos ? buffered_.size() : at + end.size();
  std::string found = buffered_.substr(0, length);
  buffered_.erase(0, length);
  return found;
}

std::string Wire::receive(size_t bytes) {
  while (buffered_.size() < bytes && fill()) continue;
  std::string found = buffered_.substr(0, bytes);
  buffered_.erase(0, found.size());
  return found;
}

std::string Wire::receive_all() {
  while (fill()) continue;
  return std::exchange(buffered_, {});
}

bool Wire::closed_by_peer() { return buffered_.empty() && !fill() && error_ == 0; }

bool Wire::reset_by_peer() {
  while (fill()) continue;
  return error_ == ECONNRESET;
}

bool Wire::silent_for(std::chrono::milliseconds time) const {
  return buffered_.empty() && !readable(socket_.get(), static_cast<int>(time.count()));
}

Fd listen_on_loopback(Endpoint& address) {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage local{};
  socklen_t length = Endpoint::parse("127.0.0.1:0")->to(local);
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&local), length) == 0);
  REQUIRE(listen(listener.get(), 128) == 0);
  length = sizeof local;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&local), &length);
  address = Endpoint::from(local);
  return listener;
}

Provider::Provider(Script script) : script_(std::move(script)), listener_(listen_on_loopback(address_)) {
  acceptor_ = std::thread([this] {
    for (;;) {
      Fd accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted) return;
      int number = ++connections_;
      auto wire = std::make_shared<Wire>(std::move(accepted));
      threads_.emplace_back([this, wire, number] { script_(*wire, number); });
    }
  });
}

Provider::~Provider() {
  shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

ProxyGateway::ProxyGateway(const Adjust& adjust, DomainLists domains, gateway::GatewayParts flows) {
  GatewayStart start;
  start.config = default_config();
  if (adjust) adjust(start.config);
  start.version = "test";
  start.instance_id = "gateway-test";
  std::vector<Fd> fds;
  fds.push_back(listen_on_loopback(address_));
  start.listeners.push_back({ListenerRole::proxy, 0, address_});
  auto created = gateway::Gateway::create(std::move(start), fds, domains, std::move(flows));
  REQUIRE(created);
  gateway_ = std::move(*created);
  REQUIRE(gateway_->start());
}

bool eventually(const std::function<bool()>& condition) {
  auto deadline = monotonic_now() + std::chrono::seconds(10);
  while (!condition()) {
    if (monotonic_now() > deadline) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

TransactionRecord ProxyGateway::next_record() {
  TransactionRecord found;
  auto& records = gateway_->workers().front()->records();
  REQUIRE(
      eventually([&] { return records.drain(1, [&found](const TransactionRecord& record) { found = record; }) == 1; }));
  return found;
}

}  // namespace lunar::test
