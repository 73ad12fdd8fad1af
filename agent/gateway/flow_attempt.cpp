#include "agent/gateway/flow_attempt.h"

#include <algorithm>

#include "agent/gateway/flow_answer.h"

namespace lunar::gateway {
namespace {

constexpr Nanoseconds least_processing_time = std::chrono::seconds(90);
constexpr Nanoseconds beyond_longest_queue = std::chrono::seconds(20);
// The shared state's; everything else is for metrics and exporters.
bool concerns_state(const Emission& emission) {
  return std::holds_alternative<emission::AddToQuota>(emission) ||
         std::holds_alternative<emission::ReleaseSlot>(emission) ||
         std::holds_alternative<emission::LearnQuota>(emission) ||
         std::holds_alternative<emission::WriteCache>(emission);
}

double milliseconds(Nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

class MonotonicStopwatch final : public Stopwatch {
 public:
  [[nodiscard]] SteadyTime read() const override { return monotonic_now(); }
};
const MonotonicStopwatch stopwatch;

}  // namespace

FlowAttempt::FlowAttempt(Session& session, ConcernedFlows& concerned, Intake intake)
    : session_(session),
      concerned_(concerned),
      intake_(std::move(intake)),
      state_(*session.worker.shared().flows),
      first_(std::move(intake_.head)) {
  body_whole_ = intake_.request.body.done();
  framing_ = session_.worker.request_scratch().framing;
  const LunardConfig& config = session_.worker.config();
  concerned_.transaction.retry_timeout = config.flows.retry_timeout;
  intake_.request.draft.number = concerned_.transaction.id;
}

const Instant& FlowAttempt::now() const { return session_.worker.instant(); }

TransactionId FlowAttempt::transaction_id() const {
  // An attempt holds slots of its own.
  return TransactionId{concerned_.transaction.id << 16U | (concerned_.transaction.attempt & 0xffffU)};
}

bool FlowAttempt::client_gone() const {
  // The end of what a stream of HTTP/2 sends is that of its request, as with every other.
  const bool left = session_.client->end_seen() && body_whole_ && !session_.one_request();
  return session_.client->error() != 0 || left || session_.worker.phase() == Phase::ending;
}

uring::Task<Served> FlowAttempt::run() {
  const BodyUse& use = concerned_.selection.body;
  if (use.hold_request && !body_whole_) co_await hold_request_body();
  settle_request_body(*concerned_.request);
  const bool over_limit = body().size() >= session_.worker.config().flows.body_limit + framing_allowance;
  if (use.hold_request && (body_whole_ || over_limit)) count_skipped_view(false, why_unseen(*concerned_.request));
  if (use.keep_request) {
    put_aside();
    original_ = clone(*concerned_.request);
  }
  for (;;) {
    begin_execution();
    Effect effect = execution_->begin(now());
    if (!settle_at_once(effect)) effect = co_await pursue(std::move(effect));
    std::optional<Served> served;
    if (!gone_)
      served = std::holds_alternative<effect::Forward>(effect) ? co_await forward() : co_await act(std::move(effect));
    if (served) co_return *served;
    const bool handed_over = !gone_;
    if (!gone_ && co_await wait_to_resend(resend_wait_)) continue;
    co_return client_left(handed_over);
  }
}

Served FlowAttempt::client_left(bool handed_over) {
  end_execution({.complete = false});
  intake_.request.draft.termination = Termination::client_abort;
  if (!handed_over) hand_over_record(intake_.request.draft);
  record_attempt(session_, intake_.request.draft);
  session_.upstream.reset();
  return {Exchange::State::reset, OpaqueReason::none};
}

// The request's bytes

// Before a wait, and where they are needed again: buffers are few.
void FlowAttempt::put_aside() {
  if (first_ == nullptr) return;
  head_ = head();
  body_ = body();
  first_.reset();
}

std::string_view FlowAttempt::head() const {
  return first_ == nullptr ? head_ : first_->view().substr(0, first_->size() - intake_.body_bytes);
}

std::string_view FlowAttempt::body() const {
  return first_ == nullptr ? body_ : first_->view().substr(first_->size() - intake_.body_bytes);
}

uring::Task<> FlowAttempt::hold_request_body() {
  put_aside();
  uring::Stream& client = *session_.client;
  const size_t limit = session_.worker.config().flows.body_limit + framing_allowance;
  if (intake_.request.expect_continue) {
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    uring::BufferRef out = session_.worker.loop().buffers().sized(go_on.size());
    out->end = static_cast<uint32_t>(go_on.copy(out->memory, out->capacity));
    client.send(std::move(out));
    intake_.request.expect_continue = false;
    intake_.request.continued = true;
  }
  while (!body_whole_ && body_.size() < limit) {
    if (client.error() != 0 || client.ended() || session_.worker.phase() == Phase::ending) co_return;
    if (client.input() == nullptr) {
      co_await session_.waker.wait(MonotonicTime::max());
      continue;
    }
    auto step = intake_.request.body.scan(client.input()->view());
    if (step.malformed) co_return;
    body_.append(client.input()->view().substr(0, step.consumed));
    intake_.request.draft.bytes_in += step.consumed;
    client.take(static_cast<uint32_t>(step.consumed)).reset();
    body_whole_ = step.done;
  }
}

void FlowAttempt::settle_request_body(lunar::Request& request) const {
  if (!body_whole_ || request.body) return;
  set_body(request, framing_, body(), session_.worker.config().flows.body_limit);
}

// The engine and what it asks

void FlowAttempt::begin_execution() {
  Transaction& transaction = concerned_.transaction;
  Selection selection = std::move(concerned_.selection);
  std::unique_ptr<lunar::Request> request = std::move(concerned_.request);
  if (transaction.attempt > 0) {
    request = clone(*original_);
    settle_request_body(*request);
    request->set_field("x-lunar-retry-attempt", std::to_string(transaction.attempt));
    request->head_changed = false;
    select(*concerned_.active->plan, *request, transaction.dice, session_.worker.selection_scratch(), selection);
    intake_.request.draft.attempt = static_cast<uint8_t>(std::min<uint32_t>(transaction.attempt, UINT8_MAX));
    intake_.request.draft.started = session_.worker.loop().now();
  }
  concerned_.selection.body = selection.body;
  execution_.emplace(concerned_.active->plan, transaction, std::move(request), std::move(selection));
  execution_->notes().request_replayable = replayable();
  if (session_.worker.shared().flow_records != nullptr) execution_->measure(stopwatch);
  intake_.request.draft.flows.clear();
  for (const SelectedFlow& selected : execution_->selection().flows)
    intake_.request.draft.flows.append(execution_->plan().flows[selected.flow].name).append("\n");
  begin_pass();
}

void FlowAttempt::begin_pass() {
  const auto& configured = session_.worker.config().flows.processing_timeout;
  Nanoseconds automatic =
      std::max<Nanoseconds>(least_processing_time, concerned_.active->plan->longest_queue_wait + beyond_longest_queue);
  processing_deadline_ = session_.worker.loop().now() + (configured ? Nanoseconds(*configured) : automatic);
}

bool FlowAttempt::replayable() const { return body_whole_ && execution_->request().wire_body.has_value(); }

void FlowAttempt::count_skipped_view(bool response, std::string_view reason) {
  if (reason.empty()) return;
  emissions_.emplace_back(emission::BodyViewSkipped{.response = response, .reason = std::string(reason)});
}

void FlowAttempt::drain() {
  std::vector<Emission>& made = execution_->emissions();
  if (made.empty()) return;
  for (const Emission& one : made)
    if (concerns_state(one)) state_.perform(*concerned_.active, one, transaction_id(), now());
  std::erase_if(made, concerns_state);
  if (emissions_.empty()) {
    emissions_.swap(made);
  } else {
    std::ranges::move(made, std::back_inserter(emissions_));
  }
  made.clear();
}

// What is left for metrics and exporters.
void FlowAttempt::hand_over_record(const RecordDraft& draft) {
  FlowRecordQueue* queue = session_.worker.shared().flow_records;
  if (queue == nullptr || !execution_) return;
  if (!emissions_.empty() || !stays_.empty()) {
    FlowRecord record{.plan = concerned_.active->plan,
                      .facts = describe_call(draft),
                      .emissions = std::exchange(emissions_, {}),
                      .stays = std::exchange(stays_, {})};
    (void)queue->try_push(std::move(record));
  }
  const lunar::Request& request = execution_->request();
  queue->count({.plan = concerned_.active->plan,
                .method = request.method,
                .host = request.host,
                .consumer_tag = request.consumer_tag,
                .replay = draft.attempt > 0,
                .flows = execution_->begun(),
                .steps = execution_->run_times()});
}

CallFacts FlowAttempt::describe_call(const RecordDraft& draft) const {
  CallFacts facts;
  const lunar::Request& request = execution_->request();
  const MonotonicTime ended = session_.worker.loop().now();
  facts.method = request.method;
  facts.url = request.url();
  facts.host = request.host;
  facts.path = request.path;
  facts.consumer_tag = request.consumer_tag;
  if (const lunar::Caller* caller = request.caller) {
    facts.comm = caller->comm;
    facts.unit = caller->unit;
    facts.container = caller->container;
  }
  facts.request_id = request.id;
  facts.port = request.port;
  facts.status = draft.status;
  facts.attempt = draft.attempt;
  facts.bytes_in = draft.bytes_in;
  facts.bytes_out = draft.bytes_out;
  facts.started = request.time;
  facts.total_ms = milliseconds(ended - draft.started);
  if (draft.provider_started != MonotonicTime{}) {
    const MonotonicTime provider_end = draft.provider_ended == MonotonicTime{} ? ended : draft.provider_ended;
    facts.server_address = draft.destination.address.text();
    facts.provider_ms = milliseconds(provider_end - draft.provider_started);
    facts.timings.blocked = milliseconds(draft.provider_started - draft.started);
    facts.timings.send = 0;
    facts.timings.wait = *facts.provider_ms;
    facts.timings.receive = milliseconds(ended - provider_end);
  }
  return facts;
}

// Most effects are answered at once, and need no coroutine.
bool FlowAttempt::settle_at_once(Effect& effect) {
  drain();
  while (auto next = answer_at_once(effect)) {
    effect = *std::move(next);
    drain();
  }
  return !std::holds_alternative<effect::Enqueue>(effect) && !std::holds_alternative<effect::RunScript>(effect);
}

uring::Task<Effect> FlowAttempt::pursue(Effect effect) {
  while (!settle_at_once(effect)) {
    Reply reply;
    if (auto* place = std::get_if<effect::Enqueue>(&effect)) {
      reply = co_await wait_in_line(*place);
    } else {
      reply = co_await run_script(std::get<effect::RunScript>(effect));
    }
    if (gone_) break;
    bool late = session_.worker.loop().now() >= processing_deadline_;
    effect = late ? execution_->time_out(now()) : execution_->resume(std::move(reply), now());
  }
  co_return effect;
}

std::optional<Effect> FlowAttempt::answer_at_once(Effect& effect) {
  const ActivePlan& active = *concerned_.active;
  if (auto* count = std::get_if<effect::Count>(&effect)) {
    state_.count(active, *count, transaction_id(), now());
    return execution_->resume(reply::Counted{}, now());
  }
  if (auto* acquire = std::get_if<effect::Acquire>(&effect))
    return execution_->resume(state_.acquire(active, *acquire, transaction_id(), now()), now());
  if (auto* read = std::get_if<effect::ReadCache>(&effect)) return execution_->resume(state_.read(*read, now()), now());
  return std::nullopt;
}

uring::Task<Reply> FlowAttempt::wait_in_line(const effect::Enqueue& place) {
  auto answer = state_.enqueue(*concerned_.active, place, transaction_id(), session_.worker, now());
  if (auto* admitted = std::get_if<reply::Admitted>(&answer)) {
    if (admitted->admitted)
      stays_.push_back(
          {.instance = place.instance, .priority = place.priority, .group = place.group, .ttl = place.ttl});
    co_return *admitted;
  }
  put_aside();
  const Ticket ticket = std::get<Ticket>(answer);
  session_.worker.await_ticket(ticket, &session_.waker);
  std::optional<Settled> settled = state_.outcome(ticket);
  while (!settled && !gone_) {
    gone_ = client_gone();
    MonotonicTime time = session_.worker.loop().now();
    MonotonicTime wake = state_.next_wake().value_or(MonotonicTime::max());
    if (wake <= time) state_.settle(now());
    settled = state_.outcome(ticket);
    if (settled || gone_ || time >= processing_deadline_) break;
    wake = std::max(state_.next_wake().value_or(MonotonicTime::max()), time + std::chrono::milliseconds(1));
    co_await session_.waker.wait(std::min(wake, processing_deadline_));
  }
  session_.worker.await_ticket(ticket, nullptr);
  if (!settled) state_.leave(ticket, now());
  if (settled) {
    stays_.push_back({.instance = place.instance,
                      .priority = place.priority,
                      .group = place.group,
                      .expired = settled->outcome == Settled::Outcome::expired,
                      .waited = settled->waited,
                      .ttl = place.ttl});
  }
  co_return reply::Admitted{.admitted = settled && settled->outcome == Settled::Outcome::admitted};
}

uring::Task<Reply> FlowAttempt::run_script(const effect::RunScript& script) {
  ScriptLink* link = session_.worker.scripts();
  reply::Scripted none;
  none.error = "no script host runs";
  if (link == nullptr || !link->alive()) co_return none;
  put_aside();
  const uint64_t call = link->call(script, session_.waker);
  std::optional<reply::Scripted> reply = link->reply(call);
  while (!reply && !gone_) {
    gone_ = session_.client->error() != 0 || session_.worker.phase() == Phase::ending;
    if (gone_ || session_.worker.loop().now() >= processing_deadline_) break;
    co_await session_.waker.wait(processing_deadline_);
    reply = link->reply(call);
  }
  link->forget(call);
  none.error = "the script did not end in time";
  co_return reply ? *std::move(reply) : none;
}

// What follows

uring::Task<std::optional<Served>> FlowAttempt::act(Effect effect) {
  if (std::holds_alternative<effect::Respond>(effect)) co_return co_await answer_with_flows();
  auto* refuse = std::get_if<effect::Refuse>(&effect);
  std::string flow = refuse == nullptr ? "" : refuse->flow;
  end_execution({.complete = false});
  intake_.request.draft.status = 503;
  hand_over_record(intake_.request.draft);
  co_return co_await answer_blocked(session_, intake_.request, std::move(flow));
}

uring::Task<std::optional<Served>> FlowAttempt::answer_with_flows() {
  begin_pass();
  Effect effect = execution_->respond_early(now());
  if (!settle_at_once(effect)) effect = co_await pursue(std::move(effect));
  if (gone_) co_return std::nullopt;
  if (auto* resend = std::get_if<effect::Resend>(&effect)) {
    resend_wait_ = resend->wait;
    co_return std::nullopt;
  }
  if (auto* refuse = std::get_if<effect::Refuse>(&effect)) {
    std::string flow = refuse->flow;
    end_execution({.complete = false});
    intake_.request.draft.status = 503;
    hand_over_record(intake_.request.draft);
    co_return co_await answer_blocked(session_, intake_.request, std::move(flow));
  }
  // The provider's connection that was begun at accept is not needed.
  if (session_.upstream != nullptr && session_.upstream->connecting()) session_.upstream.reset();
  end_execution({.complete = true});
  const Response& response = *execution_->response();
  intake_.request.draft.status = static_cast<uint16_t>(response.status);
  intake_.request.draft.bytes_out = response.size.value_or(0);
  hand_over_record(intake_.request.draft);
  co_return co_await answer_early(session_, intake_.request, response);
}

uring::Task<bool> FlowAttempt::wait_to_resend(Nanoseconds wait) {
  end_execution({.complete = true});
  hand_over_record(intake_.request.draft);
  record_attempt(session_, intake_.request.draft);
  ++concerned_.transaction.attempt;
  intake_.request.continued = true;  // it has sent its body
  const MonotonicTime until = session_.worker.loop().now() + wait;
  while (!gone_ && session_.worker.loop().now() < until) {
    co_await session_.waker.wait(until);
    gone_ = client_gone();
  }
  co_return !gone_;
}

void FlowAttempt::end_execution(AttemptEnd end) {
  if (!execution_) return;
  execution_->finish(end, now());
  drain();
}

}  // namespace lunar::gateway
