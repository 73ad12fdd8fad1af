// A captured connection from its first bytes to the decision what it speaks. Whoever speaks first decides; doubt
// means opaque.
#include "agent/gateway/policy.h"
#include "agent/gateway/session.h"
#include "agent/http/h2_preface.h"
#include "agent/http/sniff.h"
#include "agent/net/client_hello.h"

namespace lunar::gateway {
namespace {

// For a beginning that could still become HTTP or a ClientHello. A client that says nothing at all may take its time.
constexpr Nanoseconds sniff_time = std::chrono::seconds(1);

enum class Speaks : uint8_t { undecided, http, h2, tls, other, provider_first, gone, unreachable, handed_over };

struct Sniffed {
  Speaks speaks = Speaks::undecided;
  ClientHello hello;
};

Sniffed look_at_client(uring::Stream& client, bool overdue) {
  client.gather(client.input_bytes());
  std::string_view bytes = client.input()->view();
  const http::Preface h2 = http::find_h2_preface(bytes);
  if (h2 == http::Preface::complete) return {Speaks::h2, {}};
  http::Sniff http = h2 == http::Preface::incomplete ? http::Sniff::need_more : http::looks_like_http(bytes);
  if (http == http::Sniff::yes) return {Speaks::http, {}};
  ClientHello hello;
  HelloState tls = parse_client_hello(bytes, hello);
  if (tls == HelloState::complete) return {Speaks::tls, std::move(hello)};
  bool enough = http != http::Sniff::need_more && tls != HelloState::incomplete;
  if (!enough && !overdue && !client.end_seen() && bytes.size() < uring::Stream::input_window) return {};
  return {tls == HelloState::incomplete && http != http::Sniff::need_more ? Speaks::tls : Speaks::other, {}};
}

Sniffed look(Session& session, MonotonicTime deadline) {
  uring::Stream& client = *session.client;
  uring::Stream* upstream = session.upstream.get();
  if (client.error() != 0) return {Speaks::gone, {}};
  if (upstream != nullptr && (upstream->error() != 0 || session.connect_overdue())) return {Speaks::unreachable, {}};
  if (client.input() != nullptr) return look_at_client(client, session.worker.loop().now() >= deadline);
  if (upstream != nullptr && (upstream->input() != nullptr || upstream->end_seen()))
    return {Speaks::provider_first, {}};
  if (client.end_seen()) return {Speaks::other, {}};
  return {};
}

uring::Task<Sniffed> sniff(Session& session) {
  MonotonicTime deadline = MonotonicTime::max();
  for (;;) {
    Sniffed seen = look(session, deadline);
    if (seen.speaks != Speaks::undecided || session.worker.phase() == Phase::ending) co_return seen;
    bool silent = session.client->input() == nullptr;
    if (!silent && deadline == MonotonicTime::max()) {
      deadline = session.worker.loop().now() + sniff_time;
      session.client->need(uring::Stream::input_window);
    }
    if (silent && session.tls == nullptr && session.worker.phase() == Phase::handing_over &&
        co_await hand_over(session))
      co_return Sniffed{Speaks::handed_over, {}};
    bool connecting = session.upstream != nullptr && session.upstream->connecting();
    co_await session.waker.wait(connecting ? std::min(deadline, session.connect_deadline) : deadline);
  }
}

}  // namespace

uring::Task<Ending> serve_captured(Session& session) {
  const Endpoint destination = session.origin->destination;
  // In parallel with reading the first bytes, unless a connection that is there shows that its provider waits for
  // requests.
  const bool known = session.worker.pool().has(destination) || session.worker.trunks().has(destination);
  if (!known && !session.connect(destination)) co_return Ending::reset;
  co_return co_await serve_first_bytes(session);
}

uring::Task<Ending> serve_first_bytes(Session& session) {
  const Endpoint destination = session.origin->destination;
  const std::string host = session.host();
  Sniffed seen = co_await sniff(session);
  switch (seen.speaks) {
    case Speaks::http:
      co_return co_await serve_http(session);
    case Speaks::h2:
      co_return co_await serve_h2(session);
    case Speaks::tls:
      if (!admitted(session.worker, seen.hello.sni, destination)) co_return Ending::reset;
      // In an opened connection it is what nobody knows.
      if (session.tls == nullptr) co_return co_await serve_tls(session, std::move(seen.hello));
      co_return co_await relay_opaque(session, OpaqueReason::not_http, host);
    case Speaks::other:
    case Speaks::provider_first:
    case Speaks::unreachable: {
      if (!admitted(session.worker, host, destination)) co_return Ending::reset;
      auto reason = seen.speaks == Speaks::provider_first ? OpaqueReason::provider_first : OpaqueReason::not_http;
      co_return co_await relay_opaque(session, reason, host);
    }
    case Speaks::handed_over:
      co_return Ending::handed_over;
    case Speaks::gone:
    case Speaks::undecided:
      break;
  }
  co_return Ending::reset;
}

}  // namespace lunar::gateway
