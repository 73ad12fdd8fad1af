#include "agent/gateway/exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "agent/http/serializer.h"

namespace lunar::gateway {
namespace {

// On its way to a peer while the next piece is received.
constexpr uint32_t in_flight_limit = uring::BufferPool::bulk_size;
// More than this is not kept for sending it again.
constexpr size_t kept_limit = 64 * 1024;
// A body with this much left is received in large pieces.
constexpr uint64_t bulk_threshold = 128 * 1024;

// Whether the peer's application cannot have seen what was sent behind the first `before` bytes. Only a FIN proves
// it: it confirms all that had arrived when it was sent, while a reset (ECONNRESET) is not read for confirmations.
// EPIPE is a reset that followed a FIN. bytes_acked counts the SYN as well (Linux 4.1).
bool provably_unseen(const uring::Stream& upstream, uint64_t before) {
  if (upstream.error() != 0 && upstream.error() != EPIPE) return false;
  struct {
    tcp_info known;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked;
  } info{};
  static_assert(sizeof(tcp_info) == 104, "the kernel's structure goes on with 64-bit members here");
  socklen_t length = sizeof info;
  return getsockopt(upstream.fd(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && length == sizeof info &&
         info.bytes_acked <= before + 1;
}

}  // namespace

Exchange::Exchange(Session& session, Request request)
    : session_(session), request_(std::move(request)), progress_(session.worker.loop().now()) {
  request_done_ = request_.body.done();
}

void Exchange::begin(uring::BufferRef first) {
  sent_before_ = session_.upstream->sent_bytes();
  session_.upstream->wake_when_sent(false);
  session_.client->wake_when_sent(false);
  request_.draft.provider_started = session_.worker.loop().now();
  request_.keeping = request_.keeping && session_.upstream_reused;  // others are not sent again
  if (request_.keeping) request_.kept.assign(first->bytes(), first->size());
  session_.upstream->send(std::move(first));
}

Exchange::State Exchange::step() {
  if (session_.client->error() != 0) {
    if (still_passing()) return State::going;
    session_.upstream->reset_on_close(session_.client->error());
    return end(State::reset, Termination::client_abort);
  }
  State moved = relay_request_body();
  if (moved == State::going) moved = relay_response();
  send_head();
  if (moved != State::going) return moved;
  bool upstream_over = session_.upstream->error() != 0 || session_.upstream->ended();
  if (response_ended_ && session_.one_request()) upstream_over = false;
  if (upstream_over && session_.upstream->input() == nullptr) {
    if (State state = provider_gone(); state != State::going) return state;
  }
  if (State state = check_deadlines(); state != State::going) return state;
  choose_wakeups();
  return State::going;
}

// A reset of a stream follows what came before it, unless the provider takes no more of that.
bool Exchange::still_passing() {
  uring::Stream& upstream = *session_.upstream;
  if (!session_.one_request() || upstream.error() != 0 || session_.worker.phase() == Phase::ending) return false;
  (void)relay_request_body();
  upstream.wake_when_sent(true);
  return upstream.unsent() > 0 && !upstream.stalled();
}

// Request

Exchange::State Exchange::relay_request_body() {
  uring::Stream& client = *session_.client;
  while (!request_done_ && client.input() != nullptr && session_.upstream->unsent() < in_flight_limit) {
    auto step = request_.body.scan(client.input()->view());
    if (step.malformed) return become_opaque(OpaqueReason::malformed);
    client.receive_in_bulk(!step.done && request_.body.remaining() > bulk_threshold);
    send_request(client.take(static_cast<uint32_t>(step.consumed)));
    request_done_ = step.done;
  }
  if (client.ended() && !client_finished_) {
    // Half a close, as many simple clients do behind their request; or the end of a client in the middle of one.
    client_finished_ = true;
    request_done_ = true;
    close_client_ = true;
    // The end of a request of HTTP/2 is none of an HTTP/1.1 connection.
    const bool passes = !session_.one_request() || session_.upstream->fd() < 0;
    if (passes && !request_.explicit_mode) session_.upstream->finish_sending();
  }
  return State::going;
}

void Exchange::send_request(uring::BufferRef piece) {
  progress_ = session_.worker.loop().now();
  request_.draft.bytes_in += piece->size();
  if (interception_ != nullptr) copy_request_body(piece->view());
  if (request_.keeping && request_.kept.size() + piece->size() <= kept_limit) {
    request_.kept.append(piece->bytes(), piece->size());
  } else {
    request_.keeping = false;
  }
  session_.upstream->send(std::move(piece));
}

// Response

Exchange::State Exchange::relay_response() {
  uring::Stream& upstream = *session_.upstream;
  while (!head_done_ && upstream.input() != nullptr) {
    bool waiting = false;
    if (State state = read_response_head(waiting); state != State::going) return state;
    if (waiting) return State::going;
  }
  while (head_done_ && !response_.done() && upstream.input() != nullptr &&
         session_.client->unsent() < in_flight_limit) {
    auto step = response_.scan(upstream.input()->view());
    if (step.malformed) return become_opaque(OpaqueReason::malformed);
    upstream.receive_in_bulk(!step.done && response_.remaining() > bulk_threshold);
    pass_on_body(upstream.take(static_cast<uint32_t>(step.consumed)));
    progress_ = session_.worker.loop().now();
    if (interception_ != nullptr && interception_->holds_response && !interception_->response_whole) return State::held;
  }
  if (!head_done_ || !response_.done()) return State::going;
  return interception_ != nullptr && interception_->holds_response ? State::held : response_complete();
}

Exchange::State Exchange::read_response_head(bool& waiting) {
  uring::Stream& upstream = *session_.upstream;
  response_started_ = true;
  request_.keeping = false;
  std::string_view bytes = upstream.input()->view();
  http::ResponseHead& head = session_.worker.response_scratch();
  switch (http::parse_response_head(bytes, request_.context, head)) {
    case http::ParseState::incomplete:
      if (upstream.input_bytes() > bytes.size()) {
        upstream.gather(upstream.input_bytes());
        return State::going;
      }
      if (upstream.end_seen()) return become_opaque(OpaqueReason::malformed);
      upstream.need(uring::Stream::input_window);
      waiting = true;
      return State::going;
    case http::ParseState::malformed:
    case http::ParseState::too_large:
      return become_opaque(OpaqueReason::malformed);
    case http::ParseState::complete:
      break;
  }
  if (head.interim()) {
    uring::BufferRef interim = upstream.take(static_cast<uint32_t>(head.size));
    if (head.status != 100 || !request_.continued) session_.client->send(std::move(interim));
    return State::going;
  }
  if (interception_ != nullptr && head.status != 101) {
    request_.draft.status = static_cast<uint16_t>(head.status);
    return State::head;
  }
  request_.draft.status = static_cast<uint16_t>(head.status);
  if (head.status == 101) {
    session_.client->send(upstream.take(static_cast<uint32_t>(head.size)));
    return become_opaque(OpaqueReason::upgraded);
  }
  return forward_head(head, bytes);
}

void Exchange::begin_response(const http::ResponseHead& head) {
  head_done_ = true;
  response_ = http::BodyScanner(head.framing);
  response_keep_alive_ = head.keep_alive;
  session_.upstream_pinned = session_.upstream_pinned || head.connection_auth;
  close_client_ = close_client_ || !head.keep_alive || !request_.keep_alive || session_.closes_after_answer();
}

Exchange::State Exchange::forward_head(http::ResponseHead& head, std::string_view bytes) {
  begin_response(head);
  const auto head_size = static_cast<uint32_t>(head.size);
  head_has_lunar_ = head.has_lunar;
  if (!must_change_head()) return forward_with_body(head_size);
  head_ = rewritten_head(head, bytes.substr(0, head_size));
  session_.upstream->take(head_size).reset();
  progress_ = session_.worker.loop().now();
  return State::going;
}

// What is there of the body goes out with the head before it.
Exchange::State Exchange::forward_with_body(uint32_t head_size) {
  uring::Stream& upstream = *session_.upstream;
  progress_ = session_.worker.loop().now();
  if (upstream.input() == nullptr) return State::going;
  auto step = response_.scan(upstream.input()->view().substr(head_size));
  auto body_size = static_cast<uint32_t>(step.consumed);
  if (!step.done) upstream.receive_in_bulk(response_.remaining() > bulk_threshold);
  if (head_size + body_size > 0) session_.client->send(upstream.take(head_size + body_size));
  return step.malformed ? become_opaque(OpaqueReason::malformed) : State::going;
}

uring::BufferRef Exchange::rewritten_head(const http::ResponseHead& head, std::string_view bytes) {
  constexpr uint32_t room_for_connection = 64;
  std::string echo;
  if (request_.explicit_mode)
    echo = "x-lunar-sequence-id: " + request_.draft.sequence_id(session_.worker.shared().request_id_prefix) + "\r\n";
  uring::BufferRef out =
      session_.worker.loop().buffers().sized(static_cast<uint32_t>(bytes.size() + echo.size()) + room_for_connection);
  std::span<char> space(out->memory, out->capacity);
  if (request_.explicit_mode) {
    out->end =
        static_cast<uint32_t>(http::rewrite_response(bytes, head, close_client_ ? "close" : "keep-alive", space, echo));
  } else {
    bool closing = session_.closes_after_answer();
    auto drop = [closing](const http::Field& field) {
      return http::is_gateway_claim(field) || (closing && field.kind == http::FieldKind::connection);
    };
    out->end = static_cast<uint32_t>(
        http::copy_without(bytes, head.fields, drop, space, closing ? "Connection: close\r\n" : std::string_view{}));
  }
  return out;
}

Exchange::State Exchange::response_complete() {
  uring::Stream& upstream = *session_.upstream;
  response_ended_ = true;
  request_.draft.bytes_out = response_.data_bytes();
  if (request_.draft.provider_ended == MonotonicTime{}) request_.draft.provider_ended = session_.worker.loop().now();
  if (session_.one_request() && (!request_done_ || upstream.unsent() > 0)) return answered_early();
  if (!request_done_) {
    // Answered before the request was complete. What follows is the rest of it (RFC 9112 §9.3), but a client that
    // waits for 100 may leave its body out, and only the provider can tell.
    if (request_.expect_continue || close_client_) return become_opaque(OpaqueReason::malformed);
    return State::going;
  }

  const bool client_done = client_finished_ && !session_.one_request();
  bool reusable = response_keep_alive_ && request_.keep_alive && !client_done && upstream.fd() >= 0 &&
                  upstream.unsent() == 0 && upstream.input() == nullptr && !upstream.end_seen() &&
                  upstream.error() == 0;
  if (!reusable) {
    session_.upstream.reset();
  } else if (UpstreamPool* pool = session_.pool()) {
    pool->put(request_.destination, std::move(session_.upstream));
  } else if (session_.one_request()) {
    session_.upstream.reset();
  } else {
    session_.upstream_reused = !session_.upstream_pinned;  // by the next request
  }
  return end(close_client_ || session_.one_request() ? State::finish : State::again, Termination::ok);
}

// In HTTP/2 each direction ends for itself: the request goes on to its end, unless the provider wants no more of it.
Exchange::State Exchange::answered_early() {
  const uring::Stream& upstream = *session_.upstream;
  const bool stream = upstream.fd() < 0;
  if (upstream.error() == 0 && (stream || !upstream.ended())) return State::going;
  session_.failure = code_of(upstream.error()) ? upstream.error() : stream_error(http::H2Code::no_error);
  return end(State::reset, Termination::ok);
}

// Ends

Exchange::State Exchange::end(State state, Termination termination) {
  request_.draft.termination = termination;
  return state;
}

Exchange::State Exchange::fail(Failure failure, Termination termination) {
  if (response_started_) return end(State::finish, termination);
  failure_ = failure;
  return end(State::failed, termination);
}

Exchange::State Exchange::become_opaque(OpaqueReason reason) {
  if (reason == OpaqueReason::malformed && request_.explicit_mode) {
    if (head_done_ || !response_started_) return end(State::finish, Termination::provider_abort);
    response_started_ = false;  // nothing of it was passed on
    return fail(Failure::unreachable, Termination::provider_abort);
  }
  opaque_reason_ = reason;
  return end(State::opaque, Termination::ok);
}

// The provider closed or reset, and everything that it had sent has been looked at.
Exchange::State Exchange::provider_gone() {
  uring::Stream& upstream = *session_.upstream;
  session_.failure = upstream.error();
  if (may_send_again()) return send_again() ? State::going : no_other_connection();
  if (interception_ != nullptr && interception_->holds_response) return State::held;
  if (upstream.end_in_doubt()) session_.client->leave_end_in_doubt();
  if (upstream.error() == 0 && head_done_ && response_.complete_at_close()) {
    close_client_ = true;
    return response_complete();
  }
  // It has answered and wants no more of the request.
  if (response_ended_ && upstream.fd() < 0) return end(State::finish, Termination::ok);
  request_.draft.bytes_out = response_.data_bytes();
  const bool never_connected = upstream.error() != 0 && !upstream.was_connected();
  // A client that closes before any answer usually gave up, and the provider only followed.
  bool client_left = client_finished_ && !response_started_ && upstream.error() == 0;
  Termination termination = never_connected ? Termination::refused
                            : client_left   ? Termination::client_abort
                                            : Termination::provider_abort;
  if (request_.explicit_mode) return fail(Failure::unreachable, termination);
  if (never_connected) session_.note_unreachable();
  if (upstream.error() == 0) return end(State::finish, termination);
  // A reset destroys what the client's kernel has not delivered: it follows the bytes that came before it.
  if (session_.client->unsent() > 0 && !session_.client->stalled()) return State::going;
  return end(State::reset, termination);
}

Exchange::State Exchange::no_other_connection() {
  if (request_.explicit_mode) return fail(Failure::unreachable, Termination::refused);
  return end(State::reset, Termination::refused);
}

bool Exchange::may_send_again() const {
  if (response_started_ || !request_.keeping) return false;
  const uring::Stream& upstream = *session_.upstream;
  if (upstream.fd() >= 0) return request_.idempotent || provably_unseen(upstream, sent_before_);
  // Of a stream its code says it (RFC 9113 §8.7).
  const bool refused = code_of(upstream.error()) == http::H2Code::refused_stream;
  return refused || (request_.idempotent && upstream.error() == connection_lost);
}

bool Exchange::send_again() {
  session_.upstream.reset();
  if (!session_.connect(request_.destination)) return false;
  WorkerStatistics::add(session_.worker.statistics().resent);
  uring::BufferRef again = session_.worker.loop().buffers().sized(static_cast<uint32_t>(request_.kept.size()));
  again->end = static_cast<uint32_t>(request_.kept.copy(again->memory, again->capacity));
  sent_before_ = 0;
  session_.upstream->send(std::move(again));
  request_.keeping = false;  // once is enough
  if (client_finished_) session_.upstream->finish_sending();
  return true;
}

MonotonicTime Exchange::deadline() const {
  if (session_.upstream->connecting()) return session_.connect_deadline;
  if (!request_.explicit_mode) return MonotonicTime::max();
  const TimeoutConfig& timeouts = session_.worker.config().timeouts;
  return progress_ + (request_done_ ? timeouts.server : std::min(timeouts.client, timeouts.server));
}

Exchange::State Exchange::check_deadlines() {
  if (session_.worker.phase() == Phase::ending) return end(State::reset, Termination::shutdown);
  if (session_.worker.loop().now() < deadline()) return State::going;
  bool connecting = session_.upstream->connecting();
  if (request_.explicit_mode) return fail(connecting ? Failure::unreachable : Failure::timeout, Termination::timeout);
  session_.note_unreachable();
  return end(State::reset, Termination::timeout);
}

void Exchange::choose_wakeups() {
  uring::Stream& upstream = *session_.upstream;
  session_.client->wake_when_sent(upstream.input() != nullptr || upstream.error() != 0);
  upstream.wake_when_sent(response_ended_ || (!request_done_ && session_.client->input() != nullptr));
}

}  // namespace lunar::gateway
