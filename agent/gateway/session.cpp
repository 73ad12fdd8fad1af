#include "agent/gateway/session.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "agent/gateway/handover.h"
#include "agent/gateway/tls_interception.h"

namespace lunar::gateway {
namespace {

// How long a client may take to answer our FIN, and how long the kernel may take to accept more of its answer.
constexpr Nanoseconds linger_time = std::chrono::seconds(5);
// The same of a gateway that stops: clients that are idle do not look before they want something again.
constexpr Nanoseconds brief_linger_time = std::chrono::milliseconds(250);
// How long the hook sends connects to a destination direct that the gateway could not reach.
constexpr Nanoseconds unreachable_time = std::chrono::seconds(1);

// Delivers what is queued and waits for the client's FIN, so that no answer is lost to a reset.
uring::Task<> finish_client(Session& session) {
  uring::Stream& client = *session.client;
  client.finish_sending();
  client.wake_when_sent(true);
  uint64_t sent = 0;
  MonotonicTime progress = session.worker.loop().now();
  while (client.error() == 0 && session.worker.phase() != Phase::ending) {
    if (session.one_request() && client.unsent() == 0) break;
    while (client.input() != nullptr) client.take().reset();
    if (client.ended() && client.unsent() == 0) break;
    if (client.sent_bytes() != sent || client.unsent() > 0) {
      sent = client.sent_bytes();
      progress = session.worker.loop().now();
    }
    const bool stopping = session.worker.phase() == Phase::shutting_down;
    const MonotonicTime deadline = progress + (stopping ? brief_linger_time : linger_time);
    if (client.unsent() == 0 && session.worker.loop().now() >= deadline) break;
    co_await session.waker.wait(client.unsent() > 0 ? MonotonicTime::max() : deadline);
  }
}

}  // namespace

Session::Session(Worker& owner, Fd socket, ListenerRole accepted_by)
    : worker(owner), waker(owner.loop()), role(accepted_by) {
  if (role == ListenerRole::worker) origin = worker.shared().origins.find(socket.get());
  if (origin) worker.announce(*origin);
  client = uring::Stream::adopt(worker.loop(), std::move(socket));
  client->wake(&waker);
}

Session::Session(const Session& connection, uring::StreamRef stream)
    : worker(connection.worker),
      waker(connection.worker.loop()),
      client(std::move(stream)),
      tls(connection.tls),
      h2(connection.h2),
      origin(connection.origin),
      role(connection.role) {
  client->wake(&waker);
}

bool Session::connect(const Endpoint& destination) {
  if (h2 != nullptr && elsewhere_ == nullptr && destination == origin->destination) return open_stream();
  return connect_tcp(destination) && (tls == nullptr || begin_tls(tls->alpn) != nullptr);
}

bool Session::open_stream() {
  const Endpoint& provider = origin->destination;
  failure = stream_error(http::H2Code::refused_stream);  // while there is none, nothing has been asked
  bool reused = true;
  if (!h2->suits()) {
    auto other = worker.trunks().find(provider, h2->trunk().provider()->sharing);
    reused = other != nullptr;
    if (reused) h2->take(std::move(other));
    if (!reused && !open_trunk()) return false;
  }
  upstream = h2->trunk().connection().open();
  if (upstream == nullptr) return false;
  failure = 0;
  upstream->wake(&waker);
  upstream_destination = provider;
  upstream_reused = reused && !one_request();  // clients of HTTP/2 send again by themselves
  return true;
}

bool Session::open_trunk() {
  if (!connect_tcp(origin->destination) || (tls != nullptr && begin_tls({"h2"}) == nullptr)) return false;
  begin_h2(h2->trunk().provider());
  return true;
}

bool Session::connect_tcp(const Endpoint& destination) {
  auto socket = worker.upstream_socket(destination);
  if (!socket) return false;
  if (origin && origin->source && origin->source->is_v4() == destination.address.is_v4()) {
    // As the client asked for; an address that has gone since is the kernel's choice again.
    sockaddr_storage local{};
    socklen_t length = Endpoint{*origin->source, 0}.to(local);
    int yes = 1;
    setsockopt(socket->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(socket->get(), reinterpret_cast<sockaddr*>(&local), length) != 0 && errno != EADDRNOTAVAIL) return false;
  }
  upstream = uring::Stream::connect(worker.loop(), std::move(*socket), destination);
  upstream->wake(&waker);
  upstream_destination = destination;
  upstream_reused = false;
  connect_deadline = worker.loop().now() + worker.config().timeouts.connect;
  return true;
}

TlsLayer* Session::begin_tls(const std::vector<std::string>& alpn) {
  const std::string& host = elsewhere_ == nullptr ? tls->host : *elsewhere_;
  auto provider = worker.shared().tls->providers().for_host(host);
  if (!provider) return nullptr;
  auto engine =
      (*provider)->connect({.host = host, .alpn = alpn, .session_key = tls->session_key, .now = worker.instant().wall});
  if (!engine) return nullptr;
  auto owned = std::make_unique<TlsLayer>(*std::move(engine));
  TlsLayer* layer = owned.get();
  upstream->cover(std::move(owned));
  return layer;
}

bool Session::obtain(const Endpoint& destination, Nanoseconds pooled_limit) {
  if (upstream != nullptr && upstream_destination == destination && upstream->error() == 0 && !upstream->end_seen() &&
      upstream->input() == nullptr)
    return true;
  UpstreamPool* idle = pool();
  upstream = idle == nullptr ? nullptr : idle->take(destination, pooled_limit);
  if (upstream == nullptr) return connect(destination);
  upstream->wake(&waker);
  upstream_destination = destination;
  upstream_reused = true;
  return true;
}

void Session::aim_at(const std::string& host) {
  if (tls == nullptr || host == (elsewhere_ == nullptr ? tls->host : *elsewhere_)) return;
  upstream.reset();
  elsewhere_ = host == tls->host ? nullptr : std::make_unique<const std::string>(host);
}

UpstreamPool* Session::pool() const {
  if (upstream_pinned) return nullptr;
  if (one_request()) return converting() && elsewhere_ == nullptr ? tls->converting_pool.get() : nullptr;
  return client->covered() ? nullptr : &worker.pool();
}

void Session::note_unreachable() {
  worker.shared().unreachable.note(origin->destination, worker.loop().now() + unreachable_time);
}

void Session::enlist() {
  slot = static_cast<uint32_t>(worker.sessions_.size());
  worker.sessions_.push_back(this);
}

void Session::leave_list() {
  worker.sessions_.back()->slot = slot;
  worker.sessions_[slot] = worker.sessions_.back();
  worker.sessions_.pop_back();
}

uring::Task<> Session::end(Ending ending) {
  upstream.reset();
  if (ending == Ending::finish) co_await finish_client(*this);
  if (ending == Ending::reset) client->reset_on_close(failure);
  client.reset();
}

uring::Task<> Session::live(Worker& worker, Fd socket, ListenerRole role) {
  Session session(worker, std::move(socket), role);
  session.enlist();
  WorkerStatistics::add(worker.statistics_.open);
  Ending ending = session.captured() ? co_await serve_captured(session) : co_await serve_explicit(session);
  co_await session.end(ending);
  session.leave_list();
  WorkerStatistics::add(worker.statistics_.open, static_cast<uint64_t>(-1));
}

uring::Task<> Session::live_stream(const Session& connection, uring::StreamRef stream) {
  Session session(connection, std::move(stream));
  session.enlist();
  Ending ending = co_await serve_http(session);
  co_await session.end(ending);
  session.leave_list();
}

uring::Task<bool> hand_over(Session& session) {
  uring::Stream& client = *session.client;
  client.pause();
  while (!client.paused()) co_await session.waker.wait(MonotonicTime::max());
  if (client.input() != nullptr || client.end_seen() || client.error() != 0 || client.unsent() > 0) {
    client.resume();
    session.waker.signal();  // what arrived was announced to the wait above, and will not be again
    co_return false;
  }
  if (!send_client(session.worker.handover_socket(), client.fd(), session.role)) {
    client.resume();
    co_return false;
  }
  // The successor holds its own reference to the connection now; closing ours ends nothing.
  session.upstream.reset();
  co_return true;
}

}  // namespace lunar::gateway
