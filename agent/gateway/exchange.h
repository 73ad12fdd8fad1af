// One request and its response, relayed as they come. An explicit machine: step() moves what can be moved and says
// whether the exchange is over; the caller sleeps on the session's waker in between.
#pragma once

#include <string>

#include "agent/gateway/recorder.h"
#include "agent/gateway/session.h"
#include "agent/http/body.h"
#include "agent/http/head.h"

namespace lunar::gateway {

// What an exchange needs to know of a request whose head has left the scratch.
struct Request {
  // The bytes that were sent so far, for sending them again; emptied when that has become impossible or needless.
  std::string kept;
  bool keeping = true;
  RecordDraft draft;
  http::BodyScanner body;
  http::RequestContext context;
  Endpoint destination;
  bool keep_alive = false;
  bool idempotent = false;
  bool expect_continue = false;
  bool explicit_mode = false;
};

class Exchange {
 public:
  enum class State : uint8_t {
    going,
    again,   // the client's connection is ready for its next request
    finish,  // deliver what is queued, then close in order
    reset,   // cut the client off, as the provider did
    opaque,  // the rest of both directions is relayed as it is: see opaque_reason()
    failed,  // explicit modes: no byte of an answer was sent, see failure()
  };
  enum class Failure : uint8_t { none, unreachable, timeout };

  Exchange(Session& session, Request request);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // `first`: the head as it goes out, perhaps with body bytes that `request.body` has already been shown.
  void begin(uring::BufferRef first);
  [[nodiscard]] State step();
  [[nodiscard]] MonotonicTime deadline() const;

  [[nodiscard]] OpaqueReason opaque_reason() const { return opaque_reason_; }
  [[nodiscard]] Failure failure() const { return failure_; }
  [[nodiscard]] RecordDraft& draft() { return request_.draft; }

 private:
  State end(State state, Termination termination);
  State fail(Failure failure, Termination termination);
  State become_opaque(OpaqueReason reason);
  State relay_request_body();
  void send_request(uring::BufferRef piece);
  State relay_response();
  State read_response_head(bool& waiting);
  State forward_head(http::ResponseHead& head, std::string_view bytes);
  void forward_rewritten_head(const http::ResponseHead& head, std::string_view bytes);
  State response_complete();
  State provider_gone();
  State check_deadlines();
  [[nodiscard]] bool may_send_again() const;
  [[nodiscard]] bool send_again();
  void choose_wakeups();

  Session& session_;
  Request request_;
  http::BodyScanner response_;
  MonotonicTime progress_;    // when a byte last moved
  uint64_t sent_before_ = 0;  // what the upstream connection had sent before this request
  OpaqueReason opaque_reason_ = OpaqueReason::none;
  Failure failure_ = Failure::none;
  bool request_done_ = false;
  bool client_finished_ = false;   // the client sent FIN
  bool response_started_ = false;  // its first byte is here: nothing is sent again
  bool head_done_ = false;         // the final response's head was forwarded
  bool response_keep_alive_ = false;
  bool close_client_ = false;
};

}  // namespace lunar::gateway
