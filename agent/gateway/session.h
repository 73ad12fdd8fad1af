// One accepted connection, from accept to its end. The files beside this one are the chapters of its life:
// captured.cpp (sniffing), explicit.cpp (proxy port), http.cpp (keep-alive), exchange.cpp (one request), opaque.cpp.
#pragma once

#include <optional>

#include "agent/gateway/worker.h"
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

class Session {
 public:
  Session(Worker& owner, Fd socket, ListenerRole accepted_by);

  // Runs until the client's connection is over.
  [[nodiscard]] static uring::Task<> live(Worker& worker, Fd socket, ListenerRole role);

  // Begins to connect; the outcome shows on `upstream`. False: no socket could be had.
  [[nodiscard]] bool connect(const Endpoint& destination);
  // One from the pool that was idle for less than `pooled_limit`, or a new one.
  [[nodiscard]] bool obtain(const Endpoint& destination, Nanoseconds pooled_limit);
  [[nodiscard]] bool captured() const { return origin.has_value(); }
  // Came to a worker's own port, where only redirected programs and the prober do, and nobody knows where it wanted to.
  [[nodiscard]] bool astray() const { return role == ListenerRole::worker && !origin; }
  [[nodiscard]] bool connect_overdue() const {
    return upstream->connecting() && worker.loop().now() >= connect_deadline;
  }
  // A captured client's connection could not be made: its retry shall see the true errno.
  void note_unreachable();

  Worker& worker;
  uring::Waker waker;
  uring::StreamRef client;
  uring::StreamRef upstream;
  Endpoint upstream_destination;
  MonotonicTime connect_deadline{};
  std::optional<Origin> origin;  // of a captured connection
  uint32_t slot = 0;             // in the worker's list
  ListenerRole role;
  bool upstream_reused = false;
  // Authenticated as a whole (NTLM, Negotiate): the upstream connection stays with this client.
  bool upstream_pinned = false;
};

// The chapters. Each ends with what to do with the client's connection.
[[nodiscard]] uring::Task<Ending> serve_captured(Session& session);
[[nodiscard]] uring::Task<Ending> serve_explicit(Session& session);
[[nodiscard]] uring::Task<Ending> serve_http(Session& session);
// Everything from here on byte for byte; `host` is for the log and the domain lists' sake already checked.
[[nodiscard]] uring::Task<Ending> relay_opaque(Session& session, OpaqueReason reason, std::string host);

// Gives an idle client connection to the successor process. False: bytes arrived meanwhile, it must be served here.
[[nodiscard]] uring::Task<bool> hand_over(Session& session);

}  // namespace lunar::gateway
