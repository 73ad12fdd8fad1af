// One accepted connection, from accept to its end. The files beside this one are the chapters of its life:
// captured.cpp (sniffing), explicit.cpp (proxy port), http.cpp (keep-alive), exchange.cpp (one request), opaque.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/gateway/h2_trunk.h"
#include "agent/gateway/tls_layer.h"
#include "agent/gateway/worker.h"
#include "agent/net/client_hello.h"
#include "agent/uring/stream.h"
#include "agent/uring/task.h"

namespace lunar::gateway {

// What remains to be done with the client's connection.
enum class Ending : uint8_t {
  closed,       // nothing: both sides have ended it
  finish,       // deliver what is queued, send FIN, wait for the client's
  reset,        // as the provider did
  handed_over,  // the successor serves it
};

// Of a connection whose TLS the gateway opens: how its further connections to providers are made.
struct OpenedTls {
  std::string host;               // that the client asked for: SNI, or the address
  std::vector<std::string> alpn;  // to offer: HTTP/1.1, if the client offered anything
  std::string session_key;
  std::shared_ptr<UpstreamPool> converting_pool;  // where the client speaks HTTP/2 and the provider HTTP/1
};

class Session {
 public:
  Session(Worker& owner, Fd socket, ListenerRole accepted_by);
  // For one request of a connection of HTTP/2.
  Session(const Session& connection, uring::StreamRef stream);

  // Runs until the client's connection is over.
  [[nodiscard]] static uring::Task<> live(Worker& worker, Fd socket, ListenerRole role);
  // Serves one request; begins before `connection` ends and may outlive it.
  [[nodiscard]] static uring::Task<> live_stream(const Session& connection, uring::StreamRef stream);

  // Begins to connect, by TLS or as a stream of HTTP/2 if `tls` or `h2` say so; the outcome shows on `upstream`. False:
  // no socket could be had.
  [[nodiscard]] bool connect(const Endpoint& destination);
  [[nodiscard]] bool connect_tcp(const Endpoint& destination);
  // Begins TLS on the upstream connection; its layer is the stream's. Null: it cannot be.
  [[nodiscard]] TlsLayer* begin_tls(const std::vector<std::string>& alpn);
  // The upstream connection, which may still be opening, becomes the trunk of `h2`.
  void begin_h2(std::shared_ptr<const H2Provider> provider);
  // One from the pool that was idle for less than `pooled_limit`, or a new one.
  [[nodiscard]] bool obtain(const Endpoint& destination, Nanoseconds pooled_limit);
  [[nodiscard]] bool captured() const { return origin.has_value(); }
  // Came to a worker's own port, where only redirected programs and the prober do, and nobody knows where it wanted to.
  [[nodiscard]] bool astray() const { return role == ListenerRole::worker && !origin; }
  [[nodiscard]] bool connect_overdue() const {
    return upstream->connecting() && worker.loop().now() >= connect_deadline;
  }
  // Where the next request's provider is; not where the client said, if a flow has changed that.
  void aim_at(const std::string& host);
  // Where upstream connections wait for a further request, perhaps of another session. Null: nowhere.
  [[nodiscard]] UpstreamPool* pool() const;
  // A captured client's connection could not be made: its retry shall see the true errno.
  void note_unreachable();
  // The upstream connection belongs to this client alone, and neither can move to a successor.
  [[nodiscard]] bool bound() const { return upstream_pinned || client->covered(); }
  // What the client asked for, where that is known of the connection; else empty.
  [[nodiscard]] std::string host() const { return tls == nullptr ? "" : tls->host; }
  // Its client speaks HTTP/2 and its provider HTTP/1.
  [[nodiscard]] bool converting() const { return tls != nullptr && tls->converting_pool != nullptr; }
  // A stream of HTTP/2.
  [[nodiscard]] bool one_request() const { return client->fd() < 0; }
  // Answers announce the end of the connection: it cannot move to a successor, or the gateway ends.
  [[nodiscard]] bool closes_after_answer() const {
    if (one_request()) return false;
    return worker.phase() == Phase::shutting_down || (client->covered() && worker.phase() == Phase::handing_over);
  }

  Worker& worker;
  uring::Waker waker;
  uring::StreamRef client;
  uring::StreamRef upstream;
  std::shared_ptr<const OpenedTls> tls;  // of an intercepted connection
  std::shared_ptr<H2Route> h2;           // to the client's own provider: upstream is a stream there
  Endpoint upstream_destination;
  MonotonicTime connect_deadline{};
  std::optional<Origin> origin;  // of a captured connection
  uint32_t slot = 0;             // in the worker's list
  int failure = 0;               // error() of upstream that ends the client, where it is a stream of HTTP/2
  ListenerRole role;
  bool upstream_reused = false;
  // Authenticated as a whole (NTLM, Negotiate): the upstream connection stays with this client.
  bool upstream_pinned = false;

 private:
  [[nodiscard]] bool open_stream();
  [[nodiscard]] bool open_trunk();
  void enlist();  // among those that the worker wakes when its phase changes
  void leave_list();
  [[nodiscard]] uring::Task<> end(Ending ending);

  std::unique_ptr<const std::string> elsewhere_;  // the host to which a flow leads the request; null: the client's own
};

// The chapters. Each ends with what to do with the client's connection.
[[nodiscard]] uring::Task<Ending> serve_captured(Session& session);
// Whoever speaks first decides what it speaks; the connection to the provider is being made, or one is in the pool.
[[nodiscard]] uring::Task<Ending> serve_first_bytes(Session& session);
// Opens its TLS if that is wanted and possible, else relays it.
[[nodiscard]] uring::Task<Ending> serve_tls(Session& session, ClientHello hello);
[[nodiscard]] uring::Task<Ending> serve_explicit(Session& session);
[[nodiscard]] uring::Task<Ending> serve_http(Session& session);
// A client that speaks HTTP/2. Its provider does as well, unless that is converting().
[[nodiscard]] uring::Task<Ending> serve_h2(Session& session);
// Everything from here on byte for byte; `host` is for the log and the domain lists' sake already checked.
[[nodiscard]] uring::Task<Ending> relay_opaque(Session& session, OpaqueReason reason, std::string host);

// Gives an idle client connection to the successor process. False: bytes arrived meanwhile, it must be served here.
[[nodiscard]] uring::Task<bool> hand_over(Session& session);

}  // namespace lunar::gateway
