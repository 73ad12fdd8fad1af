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
constexpr uint8_t no_application_protocol = 120;  // RFC 7301 §3.2

// What is left to do with the client's connection.
enum class Next : uint8_t { serve, serve_h2, pass_through, end };

class TlsOpening {
 public:
  TlsOpening(Session& session, TlsInterception& tls, const ClientHello& hello)
      : session_(session), tls_(tls), hello_(hello), host_(host_of(session, hello)) {
    const auto caller = session.worker.caller(*session.origin);
    unit_ = caller->unit;
    pid_ = session.origin->pid;
    program_ = !caller->unit.empty() ? caller->unit : !caller->exe.empty() ? caller->exe : caller->comm;
  }

  [[nodiscard]] bool named() const { return tls_.names(host_, session_.origin->destination.port, unit_); }

  [[nodiscard]] uring::Task<Next> run() {
    const TlsOutcome judged = tls_.judge(hello_, host_, program_);
    if (judged != TlsOutcome::intercepted) co_return pass_through(judged, {});
    deadline_ = session_.worker.loop().now() + tls_.handshake_timeout();
    if (auto next = prepare()) co_return *next;
    if (!join_trunk())
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
    if (layer_ != nullptr) session_.upstream.reset();  // it speaks TLS with us
    session_.h2.reset();
    session_.tls.reset();
    return Next::pass_through;
  }
  [[nodiscard]] Next end(TlsOutcome outcome) {
    tls_.note(outcome);
    return Next::end;
  }

  [[nodiscard]] std::optional<Next> prepare() {
    if (auto provider = tls_.providers().for_host(host_); !provider)
      return pass_through(TlsOutcome::provider_failed, provider.error().text);
    std::vector<std::string> further;
    if (!hello_.alpn.empty()) further.emplace_back("http/1.1");
    session_.tls = std::make_shared<OpenedTls>(
        OpenedTls{host_, std::move(further), session_.origin->destination.text() + " " + program_});
    return std::nullopt;
  }

  // Those of one program that would meet this provider with this offer may go by the same connection; empty: not this
  // client, which comes from an address of its own choice.
  [[nodiscard]] std::string sharing() const {
    if (session_.origin->source) return {};
    std::string out = host_ + "\n" + program_;
    for (const std::string& protocol : offer()) out += "\n" + protocol;
    return out;
  }

  // Where others have met the provider. It is asked for nothing before its settings are known.
  [[nodiscard]] bool join_trunk() {
    auto trunk = session_.worker.trunks().find(session_.origin->destination, sharing());
    if (trunk == nullptr || !trunk->connection().settled()) return false;
    session_.upstream.reset();
    provider_ = trunk->provider();
    session_.h2 = std::make_shared<H2Route>(std::move(trunk));
    return true;
  }

  // Nothing: the provider is who it should be.
  [[nodiscard]] uring::Task<std::optional<Next>> meet_provider() {
    bool begun = co_await shake_hands(offer());
    if (begun && takes_h2_alone()) {
      session_.upstream.reset();
      begun = co_await shake_hands({"h2"});
    }
    if (!begun || client_gone()) co_return end(TlsOutcome::client_failed);
    const uring::Stream& upstream = *session_.upstream;
    const TlsEngine& engine = layer_->engine();
    if (engine.state() == TlsState::untrusted)
      co_return pass_through(TlsOutcome::invalid_certificate, engine.facts().verify_error);
    if (upstream.connecting() || upstream.error() != 0) {
      const std::string reason = upstream.was_connected() ? engine.failure().reason : "";
      co_return pass_through(TlsOutcome::provider_failed, reason);
    }
    if (engine.facts().client_certificate_missing)
      co_return pass_through(TlsOutcome::client_certificate, "it asks for a client certificate; see mTLS");
    auto certificates = engine.peer_certificates();
    if (certificates.empty()) co_return pass_through(TlsOutcome::no_leaf, "the provider showed no certificate");
    provider_ = std::make_shared<H2Provider>(
        H2Provider{session_.origin->destination, sharing(), std::move(certificates.front()), engine.verified()});
    alpn_ = engine.facts().alpn;
    if (alpn_ == "h2") session_.begin_h2(provider_);
    co_return std::nullopt;
  }

  // The client's own offer, as far as it is ours; a client of HTTP/2 alone can be given what HTTP/1.1 answers.
  [[nodiscard]] std::vector<std::string> offer() const {
    std::vector<std::string> out;
    for (const std::string& protocol : hello_.alpn)
      if (protocol == "h2" || protocol == "http/1.1") out.push_back(protocol);
    if (out == std::vector<std::string>{"h2"}) out.emplace_back("http/1.1");
    return out;
  }

  // With the provider, until that has come to some end. False: it could not begin.
  [[nodiscard]] uring::Task<bool> shake_hands(std::vector<std::string> alpn) {
    layer_ = nullptr;
    const bool connected = session_.upstream != nullptr && session_.upstream->error() == 0;
    if (!connected && !session_.connect_tcp(session_.origin->destination)) co_return false;
    layer_ = session_.begin_tls(alpn);
    if (layer_ == nullptr) co_return false;
    const uring::Stream& upstream = *session_.upstream;
    while (upstream.connecting() && upstream.error() == 0 && !client_gone() && !overdue())
      co_await session_.waker.wait(deadline_);
    co_return true;
  }

  // A provider that does not speak what an HTTP/1.1 client does.
  [[nodiscard]] bool takes_h2_alone() const {
    return !client_gone() && session_.upstream->error() != 0 && hello_.offers_alpn("http/1.1") &&
           !hello_.offers_alpn("h2") && layer_->engine().failure().alert_received == no_application_protocol;
  }

  [[nodiscard]] bool provider_speaks_h2() const { return session_.h2 != nullptr; }
  // The provider's protocol, or what it is converted to.
  [[nodiscard]] std::string clients_protocol() const {
    if (provider_speaks_h2()) return hello_.offers_alpn("h2") ? "h2" : "http/1.1";
    return hello_.offers_alpn("h2") && !hello_.offers_alpn("http/1.1") ? "h2" : alpn_;
  }

  // Shared with the minter's thread, which may answer after the session has given up.
  struct Waiting {
    uring::Waker* waker;  // null: nobody waits any more; touched on the loop's thread only
    std::optional<Result<LeafMinter::Leaf>> leaf;
  };

  [[nodiscard]] uring::Task<std::optional<Next>> get_leaf() {
    auto waiting = std::make_shared<Waiting>(Waiting{&session_.waker, std::nullopt});
    session_.worker.begin_lookup();
    tls_.minter().request({.host = host_, .provider = provider_->certificate, .verified = provider_->verified},
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
    auto engine = tls_.clients().accept({.name = host_, .credentials = std::move(leaf_), .alpn = clients_protocol()});
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
    if (h2 && !provider_speaks_h2()) convert();
    while (!spoken(h2) && session_.worker.phase() != Phase::ending) co_await session_.waker.wait(MonotonicTime::max());
    const bool left = client.input() == nullptr && (client.end_seen() || client.error() != 0);
    if (client.input() != nullptr) tls_.note_trust(host_, pid_);
    if (left && session_.worker.loop().now() - opened < refusal_time)
      note_silence("it closed right after the handshake");
    if (client.error() != 0) co_return Next::end;
    co_return h2 ? Next::serve_h2 : Next::serve;
  }

  // What the provider says from now on is another's business.
  void convert() {
    auto pool = std::make_shared<UpstreamPool>(session_.worker.loop());
    if (session_.upstream->input() == nullptr && !session_.upstream->end_seen() && session_.upstream->error() == 0)
      pool->put(session_.origin->destination, std::move(session_.upstream));
    auto opened = std::make_shared<OpenedTls>(*session_.tls);
    opened->converting_pool = std::move(pool);
    session_.tls = std::move(opened);
  }

  // Somebody has said or ended something. In HTTP/2 both do at once, and it is the client who matters.
  [[nodiscard]] bool spoken(bool h2) const {
    const uring::Stream& client = *session_.client;
    if (client.input() != nullptr || client.end_seen() || client.error() != 0) return true;
    const uring::Stream* upstream = session_.upstream.get();
    if (upstream == nullptr) return false;
    return upstream->end_seen() || upstream->error() != 0 || (!h2 && upstream->input() != nullptr);
  }

  [[nodiscard]] Next refused(const TlsFailure& failure) {
    // Where we cannot agree at all (its algorithms, ECH), it is the same as not being trusted.
    const bool disagreed = failure.alert_sent || failure.alert_received;
    if (failure.refusal == TlsRefusal::none && !disagreed) return end(TlsOutcome::client_failed);
    if (failure.refusal == TlsRefusal::by_silence && !disagreed)
      return end(note_silence(failure.reason) ? TlsOutcome::refused : TlsOutcome::client_failed);
    tls_.note_refusal(host_, program_, failure.reason);
    return end(TlsOutcome::refused);
  }
  bool note_silence(std::string_view how) {
    if (tls_.trusted_lately(host_, pid_)) return false;
    tls_.note_refusal(host_, program_, how);
    return true;
  }

  Session& session_;
  TlsInterception& tls_;
  const ClientHello& hello_;
  const std::string host_;
  std::string unit_, program_;
  uint32_t pid_ = 0;
  MonotonicTime deadline_{};
  LeafMinter::Leaf leaf_;
  TlsLayer* layer_ = nullptr;                   // of the upstream connection, as long as it is the session's
  std::shared_ptr<const H2Provider> provider_;  // once it is met
  std::string alpn_;                            // that it has chosen
};

}  // namespace

uring::Task<Ending> serve_tls(Session& session, ClientHello hello) {
  if (TlsInterception* tls = session.worker.shared().tls; tls != nullptr && !hello.versions.empty()) {
    TlsOpening opening(session, *tls, hello);
    const Next next = opening.named() ? co_await opening.run() : Next::pass_through;
    if (next == Next::serve) {
      const Ending ending = co_await serve_first_bytes(session);
      session.h2.reset();
      co_return ending;
    }
    if (next == Next::serve_h2) co_return co_await serve_h2(session);
    if (next == Next::end) co_return Ending::closed;
  }
  co_return co_await relay_opaque(session, OpaqueReason::tls, std::move(hello.sni));
}

}  // namespace lunar::gateway
