// A captured TLS connection: opened, if tls.intercept names it and both sides can bear it; else relayed as it is. Until
// the client is shown a certificate of ours, it can still be passed through on a new connection to its provider.
#include <memory>

#include "agent/base/log.h"
#include "agent/gateway/session.h"
#include "agent/gateway/tls_interception.h"

namespace lunar::gateway {
namespace {

// Who closes so soon after the handshake without having said anything has looked at our certificate and gone.
constexpr Nanoseconds refusal_time = std::chrono::seconds(2);

// What is left to do with the client's connection.
enum class Next : uint8_t { serve, serve_h2, pass_through, end };

class TlsOpening {
 public:
  TlsOpening(Session& session, TlsInterception& tls, const ClientHello& hello)
      : session_(session), tls_(tls), hello_(hello), host_(host_of(session, hello)) {
    const auto caller = session.worker.caller(*session.origin);
    unit_ = caller->unit;
    program_ = !caller->unit.empty() ? caller->unit : !caller->exe.empty() ? caller->exe : caller->comm;
  }

  [[nodiscard]] bool named() const { return tls_.names(host_, session_.origin->destination.port, unit_); }

  [[nodiscard]] uring::Task<Next> run() {
    const TlsOutcome judged = tls_.judge(hello_, host_, program_);
    if (judged != TlsOutcome::intercepted) co_return pass_through(judged, {});
    deadline_ = session_.worker.loop().now() + tls_.handshake_timeout();
    if (auto next = co_await meet_provider()) co_return *next;
    if (auto next = co_await get_leaf()) co_return *next;
    co_return co_await meet_client();
  }

 private:
  static std::string host_of(const Session& session, const ClientHello& hello) {
    return hello.sni.empty() ? session.origin->destination.address.text() : hello.sni;
  }

  [[nodiscard]] bool client_gone() const {
    return session_.client->error() != 0 || session_.client->end_seen() || session_.worker.phase() == Phase::ending;
  }
  [[nodiscard]] bool overdue() const { return session_.worker.loop().now() >= deadline_; }

  [[nodiscard]] Next pass_through(TlsOutcome outcome, std::string_view reason) {
    tls_.note(outcome);
    if (!reason.empty()) tls_.explain(outcome, host_, reason);
    if (session_.tls != nullptr) session_.upstream.reset();  // it speaks TLS with us
    session_.tls.reset();
    return Next::pass_through;
  }
  [[nodiscard]] Next end(TlsOutcome outcome) {
    tls_.note(outcome);
    return Next::end;
  }

  // Nothing: the provider is who it should be.
  [[nodiscard]] uring::Task<std::optional<Next>> meet_provider() {
    if (auto provider = tls_.providers().for_host(host_); !provider)
      co_return pass_through(TlsOutcome::provider_failed, provider.error().text);
    session_.tls = std::make_unique<OpenedTls>();
    session_.tls->host = session_.tls->provider = host_;
    for (const std::string& protocol : hello_.alpn)
      if (protocol == "h2" || protocol == "http/1.1") session_.tls->alpn.push_back(protocol);
    session_.tls->session_key = session_.origin->destination.text() + " " + program_;
    const bool begun = session_.upstream == nullptr || session_.upstream->error() != 0
                           ? session_.connect(session_.origin->destination)
                           : session_.begin_tls();
    if (!begun) co_return end(TlsOutcome::client_failed);
    uring::Stream& upstream = *session_.upstream;
    while (upstream.connecting() && upstream.error() == 0 && !client_gone() && !overdue())
      co_await session_.waker.wait(deadline_);
    if (client_gone()) co_return end(TlsOutcome::client_failed);
    const TlsEngine& engine = session_.tls->upstream->engine();
    if (engine.state() == TlsState::untrusted)
      co_return pass_through(TlsOutcome::invalid_certificate, engine.facts().verify_error);
    if (upstream.connecting() || upstream.error() != 0) {
      const std::string reason = upstream.was_connected() ? engine.failure().reason : "";
      co_return pass_through(TlsOutcome::provider_failed, reason);
    }
    if (engine.facts().client_certificate_missing)
      co_return pass_through(TlsOutcome::client_certificate, "it asks for a client certificate; see mTLS");
    co_return std::nullopt;
  }

  // Shared with the minter's thread, which may answer after the session has given up.
  struct Waiting {
    uring::Waker* waker;  // null: nobody waits any more; touched on the loop's thread only
    std::optional<Result<LeafMinter::Leaf>> leaf;
  };

  [[nodiscard]] uring::Task<std::optional<Next>> get_leaf() {
    const TlsEngine& engine = session_.tls->upstream->engine();
    auto certificates = engine.peer_certificates();
    if (certificates.empty()) co_return pass_through(TlsOutcome::no_leaf, "the provider showed no certificate");
    auto waiting = std::make_shared<Waiting>(Waiting{&session_.waker, std::nullopt});
    session_.worker.begin_lookup();
    tls_.minter().request({.host = host_, .provider = std::move(certificates.front()), .verified = engine.verified()},
                          [waiting, &worker = session_.worker](Result<LeafMinter::Leaf> leaf) {
                            worker.loop().post([waiting, &worker, leaf = std::move(leaf)] {
                              worker.end_lookup();
                              waiting->leaf = leaf;
                              if (waiting->waker != nullptr) waiting->waker->signal();
                            });
                          });
    while (!waiting->leaf && !client_gone() && !overdue()) co_await session_.waker.wait(deadline_);
    waiting->waker = nullptr;
    if (client_gone()) co_return end(TlsOutcome::client_failed);
    if (!waiting->leaf) co_return pass_through(TlsOutcome::no_leaf, "the supervisor made none in time");
    if (!*waiting->leaf) co_return pass_through(TlsOutcome::no_leaf, waiting->leaf->error().text);
    leaf_ = **std::move(waiting->leaf);
    co_return std::nullopt;
  }

  [[nodiscard]] uring::Task<Next> meet_client() {
    auto engine = tls_.clients().accept(
        {.name = host_, .credentials = std::move(leaf_), .alpn = session_.tls->upstream->engine().facts().alpn});
    if (!engine) co_return pass_through(TlsOutcome::no_leaf, engine.error().text);
    uring::Stream& client = *session_.client;
    // With a client with which we cannot agree on algorithms the engine fails here, and nothing has been said yet.
    std::string_view hello = client.input()->view();
    (void)(*engine)->read(hello, {});
    if ((*engine)->state() == TlsState::failed)
      co_return pass_through(TlsOutcome::unsuitable_client, (*engine)->failure().reason);
    client.take(client.input()->size() - static_cast<uint32_t>(hello.size())).reset();
    auto owned = std::make_unique<TlsLayer>(*std::move(engine));
    TlsLayer& layer = *owned;
    client.cover(std::move(owned));
    while (client.connecting() && client.error() == 0 && !overdue() && session_.worker.phase() != Phase::ending)
      co_await session_.waker.wait(deadline_);
    if (client.connecting() || client.error() != 0) {
      if (client.error() != 0) layer.peer_gone();
      co_return refused(layer.engine().failure());
    }
    tls_.note(TlsOutcome::intercepted);
    const MonotonicTime opened = session_.worker.loop().now();
    const bool h2 = layer.engine().facts().alpn == "h2";
    while (!spoken(h2) && session_.worker.phase() != Phase::ending) co_await session_.waker.wait(MonotonicTime::max());
    const bool left = client.input() == nullptr && (client.end_seen() || client.error() != 0);
    if (left && session_.worker.loop().now() - opened < refusal_time)
      tls_.note_refusal(host_, program_, "it closed right after the handshake");
    if (client.error() != 0) co_return Next::end;
    co_return h2 ? Next::serve_h2 : Next::serve;
  }

  // Somebody has said or ended something. In HTTP/2 both do at once, and it is the client who matters.
  [[nodiscard]] bool spoken(bool h2) const {
    const uring::Stream& client = *session_.client;
    const uring::Stream& upstream = *session_.upstream;
    const bool ended = client.error() != 0 || upstream.end_seen() || upstream.error() != 0;
    return client.input() != nullptr || client.end_seen() || ended || (!h2 && upstream.input() != nullptr);
  }

  [[nodiscard]] Next refused(const TlsFailure& failure) {
    // Where we cannot agree at all (its algorithms, ECH), it is the same as not being trusted.
    const bool disagreed = failure.alert_sent || failure.alert_received;
    if (failure.refusal == TlsRefusal::none && !disagreed) return end(TlsOutcome::client_failed);
    tls_.note_refusal(host_, program_, failure.reason);
    return end(TlsOutcome::refused);
  }

  Session& session_;
  TlsInterception& tls_;
  const ClientHello& hello_;
  const std::string host_;
  std::string unit_, program_;
  MonotonicTime deadline_{};
  LeafMinter::Leaf leaf_;
};

}  // namespace

uring::Task<Ending> serve_tls(Session& session, ClientHello hello) {
  if (TlsInterception* tls = session.worker.shared().tls; tls != nullptr && !hello.versions.empty()) {
    TlsOpening opening(session, *tls, hello);
    const Next next = opening.named() ? co_await opening.run() : Next::pass_through;
    if (next == Next::serve) co_return co_await serve_first_bytes(session);
    if (next == Next::serve_h2) co_return co_await serve_h2(session);
    if (next == Next::end) co_return Ending::closed;
  }
  co_return co_await relay_opaque(session, OpaqueReason::tls, std::move(hello.sni));
}

}  // namespace lunar::gateway
