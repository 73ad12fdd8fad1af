// One request and its response, relayed as they come. An explicit machine: step() moves what can be moved and says
// whether the exchange is over; the caller sleeps on the session's waker in between.
#pragma once

#include <functional>
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
  bool expect_continue = false;  // the client waits for 100
  bool continued = false;        // it was told to go on: the provider's 100 is not passed on
  bool explicit_mode = false;
};

// How flows take part in an exchange; without one every piece goes on as it came.
struct Interception {
  size_t limit = 0;  // bytes of a body that are kept; a longer one goes on and is no longer whole
  // Copies of body bytes in the framing in which they came.
  bool copies_request = false, copies_response = false;
  std::string request_body, response_body;
  bool request_whole = true, response_whole = true;
  bool holds_response = false;  // the body waits in response_body until release()
  // Sees payload and framing of a response as they go by; may be empty.
  std::function<void(std::string_view)> watches_response;
};

class Exchange {
 public:
  enum class State : uint8_t {
    going,
    head,    // the final response's head lies in the worker's scratch and in the input: begin_head() follows
    held,    // the response's body is complete, or longer than may be held: release() follows
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

  // Before begin(). `interception` outlives the exchange.
  void intercept(Interception& interception) { interception_ = &interception; }
  // Follows State::head. The head lies in the input until one of the next calls.
  void begin_head();
  void take_head();  // the body will be held
  // The client gets the head as it came, which is `head`. Then the body follows as it comes, or as it was held.
  void pass_head(std::string_view head);
  // The same with another head, in the form of HTTP/1.
  void release(std::string_view head);
  // The same with another body; the provider's is not passed on.
  void replace(std::string_view head, std::string_view body);

  // `first`: the head as it goes out, perhaps with body bytes that `request.body` has already been shown.
  void begin(uring::BufferRef first);
  [[nodiscard]] State step();
  [[nodiscard]] MonotonicTime deadline() const;

  // Whether all of the response's body is there.
  [[nodiscard]] bool response_whole() const;
  [[nodiscard]] bool request_sent() const { return request_done_; }

  [[nodiscard]] OpaqueReason opaque_reason() const { return opaque_reason_; }
  [[nodiscard]] Failure failure() const { return failure_; }
  [[nodiscard]] RecordDraft& draft() { return request_.draft; }

 private:
  State end(State state, Termination termination);
  State fail(Failure failure, Termination termination);
  State become_opaque(OpaqueReason reason);
  [[nodiscard]] bool still_passing();
  State relay_request_body();
  void send_request(uring::BufferRef piece);
  State relay_response();
  State read_response_head(bool& waiting);
  void begin_response(const http::ResponseHead& head);
  void pass_on_body(uring::BufferRef piece);
  [[nodiscard]] bool held_by_flows(const uring::Buffer& piece);
  void send_bytes(std::string_view bytes);
  void send_head();
  [[nodiscard]] bool joined_head(std::string_view bytes);
  [[nodiscard]] uring::BufferRef copy_of(std::string_view bytes);
  void copy_request_body(std::string_view bytes);
  [[nodiscard]] bool must_change_head() const;
  State forward_head(http::ResponseHead& head, std::string_view bytes);
  State forward_with_body(uint32_t head_size);
  [[nodiscard]] uring::BufferRef rewritten_head(const http::ResponseHead& head, std::string_view bytes);
  State response_complete();
  State answered_early();
  State provider_gone();
  State check_deadlines();
  [[nodiscard]] bool may_send_again() const;
  [[nodiscard]] bool send_again();
  State no_other_connection();
  void choose_wakeups();

  Session& session_;
  Request request_;
  http::BodyScanner response_;
  MonotonicTime progress_;  // when a byte last moved
  Interception* interception_ = nullptr;
  uring::BufferRef head_;     // changed, or released; what is there of the body in the same step goes out with it
  uint64_t sent_before_ = 0;  // what the upstream connection had sent before this request
  OpaqueReason opaque_reason_ = OpaqueReason::none;
  Failure failure_ = Failure::none;
  bool request_done_ = false;
  bool client_finished_ = false;   // the client sent FIN
  bool response_started_ = false;  // its first byte is here: nothing is sent again
  bool head_done_ = false;         // the final response's head was forwarded
  bool response_keep_alive_ = false;
  bool close_client_ = false;
  bool response_ended_ = false;  // and was whole
  uint32_t head_in_input_ = 0;   // bytes of a head that flows have not decided on
  bool head_has_lunar_ = false;  // it has fields that are ours to say
  bool replaced_ = false;        // the client has all of another body; what is left of the provider's is dropped
};

// How a request's service ended, for the connection.
struct Served {
  Exchange::State state = Exchange::State::finish;
  OpaqueReason reason = OpaqueReason::none;
};

}  // namespace lunar::gateway
