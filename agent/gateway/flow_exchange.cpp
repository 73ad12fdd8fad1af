// The attempt's way to the provider and back: the exchange with its interceptions, and the response pass.
#include <algorithm>

#include "agent/gateway/flow_answer.h"
#include "agent/gateway/flow_attempt.h"
#include "agent/http/serializer.h"

namespace lunar::gateway {
namespace {

// Without the fields that are for the gateway alone, as where no flow changes the head.
std::string for_next_hop(std::string head, http::RequestHead& scratch) {
  if (http::parse_request_head(head, scratch) != http::ParseState::complete) return head;
  constexpr http::RequestRewrite same;
  std::string out(http::rewritten_size_limit(head, same), '\0');
  out.resize(http::rewrite_request(head, scratch, same, out));
  return out;
}

}  // namespace

// To the provider and back

bool FlowAttempt::must_be_reached() const {
  return execution_->request().host_changed || intake_.request.explicit_mode;
}

uring::Task<> FlowAttempt::reach() {
  const lunar::Request& request = execution_->request();
  if (request.host_changed) {
    intake_.host = request.host;
    intake_.port = request.port;
    session_.aim_at(intake_.host);
  }
  intake_.answer.reset();
  put_aside();
  co_await reach_provider(session_, intake_);
}

uring::BufferRef FlowAttempt::outgoing(Request& request) {
  const lunar::Request& message = execution_->request();
  const bool as_it_came = !message.head_changed && !message.body_changed;
  if (as_it_came && first_ != nullptr) return std::move(first_);
  std::string_view head = this->head();
  std::string_view body = this->body();
  std::string changed;
  if (message.body_changed) body = *message.body;
  if (!as_it_came) {
    std::optional<uint64_t> length;
    if (message.body_changed) length = body.size();
    changed = write_request_head(message, request.context.http10 ? 0 : 1, length);
    if (request.explicit_mode) changed = for_next_hop(std::move(changed), session_.worker.request_scratch());
    head = changed;
  }
  if (message.body_changed) request.body = http::BodyScanner();
  uring::BufferRef out = session_.worker.loop().buffers().sized(static_cast<uint32_t>(head.size() + body.size()));
  out->end = static_cast<uint32_t>(head.copy(out->memory, out->capacity));
  out->end += static_cast<uint32_t>(body.copy(out->memory + out->end, out->capacity - out->end));
  first_.reset();
  return out;
}

uring::Task<std::optional<Served>> FlowAttempt::forward() {
  if (must_be_reached()) co_await reach();
  if (intake_.answer) {
    end_execution({.complete = false});
    const Served served = refuse_request(session_, intake_);
    hand_over_record(intake_.request.draft);
    co_return served;
  }
  if (!session_.obtain(intake_.request.destination, intake_.pooled_limit())) {
    end_execution({.complete = false});
    hand_over_record(intake_.request.draft);
    co_return Served{Exchange::State::reset, OpaqueReason::none};
  }
  const BodyUse& use = concerned_.selection.body;
  Request request = use.keep_request ? intake_.request : std::move(intake_.request);
  Answering answering;
  answering.interception.limit = session_.worker.config().flows.body_limit + framing_allowance;
  answering.interception.copies_request = use.keep_request || use.copy_request;
  answering.interception.request_body = body();
  uring::BufferRef first = outgoing(request);
  Exchange exchange(session_, std::move(request));
  if (execution_->wants_response() || answering.interception.copies_request) exchange.intercept(answering.interception);
  exchange.begin(std::move(first));
  Exchange::State state = co_await relay(exchange, answering);
  if (answering.over) co_return *answering.over;
  if (answering.resend || gone_) {
    intake_.request.draft = exchange.draft();
    co_return std::nullopt;
  }
  co_return end_exchange(exchange, answering, state);
}

// How long to sleep for an exchange that waits; nothing: a body was held for as long as it may be.
std::optional<MonotonicTime> FlowAttempt::sleep_until(const Exchange& exchange, Answering& answering) const {
  if (!answering.interception.holds_response) return exchange.deadline();
  if (session_.worker.loop().now() < answering.hold_deadline)
    return std::min(exchange.deadline(), answering.hold_deadline);
  answering.interception.response_whole = false;
  return std::nullopt;
}

uring::Task<Exchange::State> FlowAttempt::relay(Exchange& exchange, Answering& answering) {
  while (!answering.over && !answering.resend && !gone_) {
    Exchange::State state = exchange.step();
    if (state == Exchange::State::going) {
      auto until = sleep_until(exchange, answering);
      if (until) co_await session_.waker.wait(*until);
      if (!until) state = Exchange::State::held;
    }
    switch (state) {
      case Exchange::State::going:
        continue;
      case Exchange::State::head:
        if (!response_head(exchange, answering)) continue;
        break;
      case Exchange::State::held:
        fill_body(exchange, answering, *answering.response);
        count_skipped_view(true, why_response_unseen(exchange, answering, *answering.response));
        break;
      default:
        co_return state;
    }
    Effect effect = begin_response_pass(exchange, answering);
    // Most often nothing has to be waited for, and a coroutine less shows in the cost of a request.
    if (settle_at_once(effect) && std::holds_alternative<effect::Deliver>(effect)) {
      deliver(exchange, answering);
    } else {
      co_await end_response_pass(exchange, answering, std::move(effect));
    }
  }
  co_return Exchange::State::finish;
}

bool FlowAttempt::response_head(Exchange& exchange, Answering& answering) {
  const http::ResponseHead& head = session_.worker.response_scratch();
  const std::string_view bytes = session_.upstream->input()->view().substr(0, head.size);
  provider_head_ = bytes;
  auto response = std::make_unique<Response>();
  borrow_response(head, bytes, provider_head_, *response);
  response->time = now().wall;
  answering.reason = head.reason;
  answering.minor_version = head.minor_version;
  answering.framing = head.framing;
  exchange.begin_head();
  const bool empty = answering.framing.kind == http::BodyFraming::Kind::none;
  if (empty) response->body = response->wire_body = std::string_view{};
  if (empty) response->size = 0;
  if (answering.framing.kind == http::BodyFraming::Kind::content_length) response->size = answering.framing.length;
  ResponseBodyUse use = execution_->response_body_use(*response);
  answering.response = std::move(response);
  const HeaderField* type = use.usage ? answering.response->find("content-type") : nullptr;
  const bool events = type != nullptr && lower_case(type->value).starts_with("text/event-stream");
  if (events && !empty) {
    answering.interception.watches_response =
        [&answering, reader = http::PayloadReader(answering.framing)](std::string_view bytes) mutable {
          std::string payload;
          reader.read(bytes, payload);
          answering.usage.read(payload);
        };
  }
  if (use.hold && !empty) {
    exchange.take_head();
    answering.interception.holds_response = true;
    answering.hold_deadline = session_.worker.loop().now() + session_.worker.config().flows.body_wait;
    return false;
  }
  answering.interception.copies_response = use.copy || (use.usage && !events);
  return true;
}

void FlowAttempt::fill_body(Exchange& exchange, Answering& answering, Response& response) const {
  const Interception& kept = answering.interception;
  if (exchange.response_whole() && kept.response_whole && answering.framing.kind != http::BodyFraming::Kind::none) {
    set_body(response, answering.framing, kept.response_body, session_.worker.config().flows.body_limit);
  }
  response.usage = answering.usage.usage();
  if (response.usage || !response.body || !response.body->contains("\"usage\"")) return;
  if (auto json = parse_json(*response.body)) response.usage = usage_of(*json);
}

// Why flows cannot see the body that they asked for; empty: they can, or it broke off.
std::string_view FlowAttempt::why_response_unseen(const Exchange& exchange, const Answering& answering,
                                                  const Response& response) const {
  const bool in_time = session_.worker.loop().now() < answering.hold_deadline;
  if (!answering.interception.response_whole) return in_time ? "size" : "wait";
  return exchange.response_whole() ? why_unseen(response) : std::string_view{};
}

// Once all of it has gone by, a body that was kept can be sent again.
void FlowAttempt::note_kept_body(const Exchange& exchange, const Interception& kept) {
  if (!body_whole_ && kept.copies_request && kept.request_whole && exchange.request_sent()) {
    body_ = kept.request_body;
    body_whole_ = true;
    intake_.request.body = http::BodyScanner();
    settle_request_body(execution_->request());
  }
  execution_->notes().request_replayable = replayable();
}

void FlowAttempt::count_copied_request(const Interception& kept) {
  const BodyUse& use = concerned_.selection.body;
  if (!use.copy_request || use.hold_request) return;
  if (body_whole_ || !kept.request_whole) count_skipped_view(false, why_unseen(execution_->request()));
}

Effect FlowAttempt::begin_response_pass(const Exchange& exchange, Answering& answering) {
  note_kept_body(exchange, answering.interception);
  begin_pass();
  return execution_->respond(std::move(answering.response), now());
}

uring::Task<> FlowAttempt::end_response_pass(Exchange& exchange, Answering& answering, Effect effect) {
  if (!settle_at_once(effect)) effect = co_await pursue(std::move(effect));
  if (gone_) co_return;
  if (auto* resend = std::get_if<effect::Resend>(&effect)) {
    resend_wait_ = resend->wait;
    answering.resend = true;
    session_.upstream.reset();
  } else if (auto* refuse = std::get_if<effect::Refuse>(&effect)) {
    std::string flow = refuse->flow;
    intake_.request.draft = exchange.draft();
    session_.upstream.reset();
    end_execution({.complete = false});
    intake_.request.draft.status = 503;
    hand_over_record(intake_.request.draft);
    answering.over = co_await answer_blocked(session_, intake_.request, std::move(flow));
  } else {
    deliver(exchange, answering);
  }
}

void FlowAttempt::deliver(Exchange& exchange, Answering& answering) {
  const Response& response = *execution_->response();
  if (!response.head_changed && !response.body_changed) return exchange.pass_head(provider_head_);
  std::string_view reason = answering.reason;
  std::string_view line = std::string_view(provider_head_).substr(0, provider_head_.find('\r'));
  if (!line.contains(" " + std::to_string(response.status))) reason = {};
  std::optional<uint64_t> length;
  if (response.body_changed) length = response.body->size();
  std::string head =
      write_response_head(response, {.reason = reason, .minor_version = answering.minor_version}, length);
  if (response.body_changed) {
    exchange.replace(head, *response.body);
  } else {
    exchange.release(head);
  }
}

Served FlowAttempt::end_exchange(Exchange& exchange, Answering& answering, Exchange::State state) {
  const bool answered = exchange.draft().status != 0;
  const bool complete = answered && exchange.draft().termination == Termination::ok && state != Exchange::State::opaque;
  if (Response* response = execution_->response(); response != nullptr && !response->body_changed) {
    if (!response->body) fill_body(exchange, answering, *response);
    if (!response->size) response->size = exchange.draft().bytes_out;
    if (answering.interception.copies_response)
      count_skipped_view(true, why_response_unseen(exchange, answering, *response));
  }
  note_kept_body(exchange, answering.interception);
  count_copied_request(answering.interception);
  end_execution({.complete = complete});
  if (state == Exchange::State::failed) {
    bool timeout = exchange.failure() == Exchange::Failure::timeout;
    answer(session_, exchange.draft(), {.refusal = timeout ? Refusal::timeout : Refusal::unreachable, .close = true});
    state = Exchange::State::finish;
  }
  hand_over_record(exchange.draft());
  record_attempt(session_, exchange.draft());
  return {state, exchange.opaque_reason()};
}

}  // namespace lunar::gateway
