// The requests of one client connection, one after the other: read a head, decide, exchange, again.
#include "agent/gateway/answers.h"
#include "agent/gateway/exchange.h"
#include "agent/gateway/flow_passage.h"
#include "agent/gateway/policy.h"
#include "agent/gateway/request_intake.h"
#include "agent/gateway/session.h"

namespace lunar::gateway {
namespace {

// For a captured client that stops in the middle of a head: what it sent goes to the provider as it is.
constexpr Nanoseconds captured_head_time = std::chrono::seconds(10);
// A client that does not take its answers gets no further ones.
constexpr uint32_t unsent_limit = uring::BufferPool::bulk_size;

enum class HeadState : uint8_t { waiting, ready, malformed, too_large, ended, aborted, timeout, handed_over };

HeadState look_for_head(Session& session) {
  uring::Stream& client = *session.client;
  while (client.input() != nullptr) {
    switch (http::parse_request_head(client.input()->view(), session.worker.request_scratch())) {
      case http::ParseState::complete:
        return HeadState::ready;
      case http::ParseState::malformed:
        return HeadState::malformed;
      case http::ParseState::too_large:
        return HeadState::too_large;
      case http::ParseState::incomplete:
        break;
    }
    if (client.input_bytes() == client.input()->size()) {
      if (client.end_seen()) return HeadState::malformed;
      client.need(uring::Stream::input_window + 1);
      return HeadState::waiting;
    }
    client.gather(client.input_bytes());
  }
  return client.ended() ? HeadState::ended : HeadState::waiting;
}

MonotonicTime head_deadline(const Session& session, bool begun) {
  if (!session.captured()) return session.worker.loop().now() + session.worker.config().timeouts.client;
  return begun ? session.worker.loop().now() + captured_head_time : MonotonicTime::max();
}

bool may_hand_over(const Session& session) { return session.worker.phase() == Phase::handing_over && !session.bound(); }

// Why no further head is waited for; `waiting`: no reason.
HeadState reason_to_end(const Session& session, bool at_rest, MonotonicTime deadline) {
  if (session.worker.phase() == Phase::ending) return HeadState::aborted;
  if (session.worker.phase() == Phase::shutting_down && at_rest) return HeadState::ended;
  return session.worker.loop().now() >= deadline ? HeadState::timeout : HeadState::waiting;
}

// One that waits for this client's next request; those in the pool look after themselves.
void drop_ended_upstream(Session& session) {
  const uring::Stream* upstream = session.upstream.get();
  if (upstream == nullptr || !session.client->covered()) return;
  if (upstream->end_seen() || upstream->error() != 0) session.upstream.reset();
}

uring::Task<HeadState> read_head(Session& session) {
  uring::Stream& client = *session.client;
  bool begun = client.input() != nullptr;
  MonotonicTime deadline = head_deadline(session, begun);
  for (;;) {
    if (client.error() != 0) co_return HeadState::aborted;
    if (client.unsent() < unsent_limit) {
      HeadState state = look_for_head(session);
      if (state != HeadState::waiting) co_return state;
    }
    bool idle = client.input() == nullptr;
    if (begun == idle) {
      begun = !idle;
      deadline = head_deadline(session, begun);
    }
    bool at_rest = idle && client.unsent() == 0;
    if (idle) drop_ended_upstream(session);
    if (at_rest && may_hand_over(session) && co_await hand_over(session)) co_return HeadState::handed_over;
    if (HeadState end = reason_to_end(session, at_rest, deadline); end != HeadState::waiting) co_return end;
    client.wake_when_sent(client.unsent() >= unsent_limit || session.worker.phase() != Phase::serving);
    co_await session.waker.wait(deadline);
  }
}

uring::Task<Served> exchange(Session& session, Request request, uring::BufferRef head) {
  Exchange exchange(session, std::move(request));
  exchange.begin(std::move(head));
  for (;;) {
    Exchange::State state = exchange.step();
    if (state == Exchange::State::going) {
      co_await session.waker.wait(exchange.deadline());
      continue;
    }
    if (state == Exchange::State::failed) {
      bool timeout = exchange.failure() == Exchange::Failure::timeout;
      answer(session, exchange.draft(), {.refusal = timeout ? Refusal::timeout : Refusal::unreachable, .close = true});
      state = Exchange::State::finish;
    }
    record_attempt(session, exchange.draft());
    co_return Served{state, exchange.opaque_reason()};
  }
}

}  // namespace

Served refuse_request(Session& session, Intake& intake) {
  intake.answer->close = intake.answer->close || !intake.request.keep_alive;
  answer(session, intake.request.draft, *intake.answer);
  record_attempt(session, intake.request.draft);
  return {intake.answer->close ? Exchange::State::finish : Exchange::State::again, OpaqueReason::none};
}

namespace {

// No client borrows another host's policy or connection: what is opened for one host is for no other (RFC 9110 §7.4).
bool misdirected(const Session& session) {
  if (session.tls == nullptr) return false;
  const http::RequestHead& head = session.worker.request_scratch();
  auto elsewhere = [&session](std::string_view authority) {
    return !authority.empty() && lower_case(host_of(authority)) != session.tls->host;
  };
  return elsewhere(head.host) || elsewhere(authority_of(head.target));
}

Served answer_misdirected(Session& session) {
  Intake intake = take_captured(session);
  intake.answer = Answer{.refusal = Refusal::misdirected,
                         .detail = session.tls->host,
                         .close = !intake.request.body.done(),
                         .head_only = intake.request.context.head};
  return refuse_request(session, intake);
}

uring::Task<Served> serve_request(Session& session) {
  if (misdirected(session)) co_return answer_misdirected(session);
  if (session.tls != nullptr) session.aim_at(session.tls->host);
  if (auto concerned = find_flows(session)) co_return co_await pass_flows(session, std::move(concerned));
  Intake intake = session.captured() ? take_captured(session) : take_explicit(session);
  if (intake.probe) co_return Served{Exchange::State::again, OpaqueReason::none};
  // A program that was captured while the hook went away: it can bear a reset, but not an answer of ours.
  if (session.astray()) co_return Served{Exchange::State::reset, OpaqueReason::none};
  if (!intake.answer && !session.captured()) co_await reach_provider(session, intake);
  if (intake.answer) co_return refuse_request(session, intake);
  if (intake.tunnel) co_return Served{Exchange::State::opaque, OpaqueReason::connect};
  if (!session.obtain(intake.request.destination, intake.pooled_limit()))
    co_return Served{Exchange::State::reset, OpaqueReason::none};
  co_return co_await exchange(session, std::move(intake.request), std::move(intake.head));
}

uring::Task<Ending> without_head(Session& session, HeadState state) {
  switch (state) {
    case HeadState::ended:
      // Nothing is under way; what was answered may still be on its way to a client that closed only its half.
      co_return Ending::finish;
    case HeadState::handed_over:
      co_return Ending::handed_over;
    case HeadState::malformed:
    case HeadState::too_large:
    case HeadState::timeout:
      break;
    default:
      co_return Ending::reset;
  }
  if (session.captured()) co_return co_await relay_opaque(session, OpaqueReason::malformed, session.host());
  if (session.astray()) co_return Ending::reset;
  if (session.client->input() == nullptr) co_return Ending::finish;
  RecordDraft draft;
  draft.started = session.worker.loop().now();
  draft.mode = EntryMode::forward;
  draft.number = session.worker.next_request_number();
  const char* fault = session.worker.request_scratch().fault;
  bool too_large = state == HeadState::too_large;
  answer(session, draft,
         {.refusal = too_large ? Refusal::head_too_large : Refusal::malformed,
          .detail = state != HeadState::malformed || fault == nullptr ? "" : fault,
          .close = true});
  record_attempt(session, draft);
  co_return Ending::finish;
}

}  // namespace

uring::Task<Ending> serve_http(Session& session) {
  for (;;) {
    HeadState head = co_await read_head(session);
    if (head != HeadState::ready) co_return co_await without_head(session, head);
    Served served = co_await serve_request(session);
    switch (served.state) {
      case Exchange::State::again:
        continue;
      case Exchange::State::reset:
        co_return Ending::reset;
      case Exchange::State::opaque:
        co_return co_await relay_opaque(session, served.reason, session.host());
      default:
        co_return Ending::finish;
    }
  }
}

}  // namespace lunar::gateway
