#include "flowengine/cases/simulation.h"

#include <algorithm>

namespace lunar {
namespace {

bool hidden_from_provider(std::string_view name) {
  return name.size() > 8 && equal_ignoring_case(name.substr(0, 8), "x-lunar-");
}

}  // namespace

struct Simulation::Call {
  std::string name;
  SimulatedRequest request;
  std::shared_ptr<const Plan> plan;
  Binding binding;
  Transaction transaction;
  std::unique_ptr<Execution> execution;
  std::optional<Ticket> ticket;
  std::optional<SteadyTime> resend_at;
  bool provider_asked = false;
  SteadyTime waiting_since{};
  Outcomes outcomes;

  [[nodiscard]] TransactionId id() const { return TransactionId{transaction.id * 1000 + transaction.attempt}; }
};

Simulation::Simulation(std::shared_ptr<const Plan> plan, Instant start, ScriptRunner scripts)
    : plan_(std::move(plan)), now_(start), scripts_(std::move(scripts)) {
  binding_ = state_.bind(*plan_, now_);
}

Simulation::~Simulation() = default;

void Simulation::reload(std::shared_ptr<const Plan> plan) {
  plan_ = std::move(plan);
  binding_ = state_.bind(*plan_, now_);
  wake_waiters();
}

const Outcomes& Simulation::outcomes(const std::string& name) const { return calls_.at(name)->outcomes; }

bool Simulation::at_provider(const std::string& name) const { return calls_.at(name)->provider_asked; }

std::unique_ptr<Request> Simulation::make_request(const Call& call) const {
  auto out = std::make_unique<Request>();
  const SimulatedRequest& given = call.request;
  auto target = parse_absolute_target(given.url.contains("://") ? given.url : "http://" + given.url);
  if (!target) return nullptr;
  std::string_view origin = target->origin_form;
  size_t mark = origin.find('?');
  out->method = given.method;
  out->scheme = target->scheme;
  out->host = target->authority.host;
  out->port = target->port();
  out->path = origin.substr(0, mark);
  out->query = mark == std::string_view::npos ? std::string_view{} : origin.substr(mark + 1);
  out->consumer_tag = given.consumer_tag;
  out->transparent = true;
  out->caller = &given.caller;
  out->time = now_.wall;
  const std::string id = "case-" + std::to_string(call.transaction.id);
  out->id = out->sequence_id = id;
  const std::string host = target->authority.text();
  out->fields.push_back({"Host", host});
  for (const auto& [name, value] : given.headers)
    if (!equal_ignoring_case(name, "x-lunar-retry-attempt")) out->fields.push_back({name, value});
  if (given.body) {
    out->body = *given.body;
    out->wire_body = *given.body;
    out->size = given.body->size();
  } else {
    out->body = "";
    out->size = 0;
  }
  out->own();
  if (given.body) out->body = out->wire_body = out->keep(*given.body);
  if (call.transaction.attempt > 0) out->set_field("x-lunar-retry-attempt", std::to_string(call.transaction.attempt));
  out->head_changed = false;
  return out;
}

void Simulation::send(const std::string& name, const SimulatedRequest& request) {
  const uint64_t number = ++last_number_;
  auto call = std::make_unique<Call>(Call{.name = name,
                                          .request = request,
                                          .plan = plan_,
                                          .binding = binding_,
                                          .transaction = Transaction(number, number)});
  call->transaction.retry_timeout = std::chrono::seconds(100);
  Call& begun = *call;
  calls_[name] = std::move(call);
  begin_attempt(begun);
  wake_waiters();
}

void Simulation::begin_attempt(Call& call) {
  auto request = make_request(call);
  if (request == nullptr) {
    call.outcomes.done = true;
    return;
  }
  SelectionScratch scratch;
  Selection selection;
  select(*call.plan, *request, call.transaction.dice, scratch, selection);
  call.execution = std::make_unique<Execution>(call.plan, call.transaction, std::move(request), std::move(selection));
  call.outcomes.flows.clear();
  for (std::string_view flow : call.execution->flow_names()) call.outcomes.flows.emplace_back(flow);
  pursue(call, call.execution->begin(now_));
}

void Simulation::drain(Call& call) {
  for (Emission& one : call.execution->emissions()) {
    (void)state_.perform(*call.plan, call.binding, one, call.id(), now_);
    emissions_.push_back(std::move(one));
  }
  call.execution->emissions().clear();
}

void Simulation::pursue(Call& call, Effect effect) {
  for (;;) {
    drain(call);
    if (auto next = ask(call, effect)) {
      effect = *std::move(next);
      continue;
    }
    if (std::holds_alternative<effect::Forward>(effect)) return forward(call);
    if (std::holds_alternative<effect::Deliver>(effect)) return deliver(call);
    if (std::holds_alternative<effect::Respond>(effect)) {
      effect = call.execution->respond_early(now_);
      continue;
    }
    if (auto* resend = std::get_if<effect::Resend>(&effect)) {
      end_attempt(call, {.complete = true});
      ++call.transaction.attempt;
      call.resend_at = now_.steady + resend->wait;
      call.waiting_since = now_.steady;
      return;
    }
    if (auto* refuse = std::get_if<effect::Refuse>(&effect)) {
      call.outcomes.blocked_by = refuse->flow;
      call.outcomes.status = 503;
      call.outcomes.done = true;
      end_attempt(call, {.complete = false});
    }
    return;
  }
}

// The effect that follows the answer to a question; nothing where `effect` is none, or waits.
std::optional<Effect> Simulation::ask(Call& call, Effect& effect) {
  Execution& execution = *call.execution;
  if (auto* count = std::get_if<effect::Count>(&effect)) {
    state_.count(call.binding, *count, call.id(), now_);
    return execution.resume(reply::Counted{}, now_);
  }
  if (auto* acquire = std::get_if<effect::Acquire>(&effect))
    return execution.resume(state_.acquire(*call.plan, call.binding, *acquire, call.id(), now_), now_);
  if (auto* read = std::get_if<effect::ReadCache>(&effect)) return execution.resume(state_.read(*read, now_), now_);
  if (auto* script = std::get_if<effect::RunScript>(&effect)) {
    reply::Scripted result;
    result.error = "scripts are not run here";
    if (scripts_) result = scripts_(*script);
    return execution.resume(std::move(result), now_);
  }
  if (auto* place = std::get_if<effect::Enqueue>(&effect)) {
    auto answer = state_.enqueue(call.binding, *place, call.id(), now_);
    if (auto* admitted = std::get_if<reply::Admitted>(&answer)) return execution.resume(*admitted, now_);
    call.ticket = std::get<Ticket>(answer);
    call.waiting_since = now_.steady;
  }
  return std::nullopt;
}

void Simulation::forward(Call& call) {
  const Request& request = call.execution->request();
  SimulatedRequest sent{.method = std::string(request.method),
                        .url = std::string(scheme_name(request.scheme)) + "://" + request.url()};
  if (!request.query.empty()) sent.url += "?" + std::string(request.query);
  for (const HeaderField& field : request.fields)
    if (!field.internal && !hidden_from_provider(field.name)) sent.headers.emplace_back(field.name, field.value);
  if (request.body && call.request.body) sent.body = std::string(*request.body);
  call.outcomes.sent.push_back(std::move(sent));
  call.provider_asked = true;
}

void Simulation::answer(const std::string& name, const SimulatedResponse& given) {
  Call& call = *calls_.at(name);
  if (!call.provider_asked) return;
  call.provider_asked = false;
  if (given.unreachable) {
    end_attempt(call, {.complete = false});
    call.outcomes.done = true;
    wake_waiters();
    return;
  }
  auto response = std::make_unique<Response>();
  response->status = given.status;
  response->time = now_.wall;
  for (const auto& [field, value] : given.headers) response->add_field(field, value);
  response->head_changed = false;
  response->body = response->wire_body = response->keep(given.body);
  response->size = given.body.size();
  pursue(call, call.execution->respond(std::move(response), now_));
  wake_waiters();
}

void Simulation::deliver(Call& call) {
  const Response& response = *call.execution->response();
  call.outcomes.status = response.status;
  call.outcomes.headers.clear();
  for (const HeaderField& field : response.fields) call.outcomes.headers.emplace_back(field.name, field.value);
  if (!response.from_provider) call.outcomes.headers.emplace_back("x-lunar-generated", "true");
  const bool bodiless = call.request.method == "HEAD";
  call.outcomes.body = bodiless ? "" : std::string(response.body.value_or(response.wire_body.value_or("")));
  call.outcomes.done = true;
  end_attempt(call, {.complete = true});
}

void Simulation::end_attempt(Call& call, AttemptEnd end) {
  call.execution->finish(end, now_);
  drain(call);
}

void Simulation::leave(const std::string& name) {
  Call& call = *calls_.at(name);
  if (call.ticket) state_.leave(*call.ticket);
  call.ticket.reset();
  call.resend_at.reset();
  call.provider_asked = false;
  if (!call.outcomes.done && call.execution != nullptr) end_attempt(call, {.complete = false});
  call.outcomes.done = true;
  wake_waiters();
}

void Simulation::wake_waiters() {
  for (auto settled = state_.wake(now_); !settled.empty(); settled = state_.wake(now_))
    for (const Settled& one : settled) end_wait(one);
}

void Simulation::end_wait(const Settled& settled) {
  auto waits = [&](const auto& entry) { return entry.second->ticket == settled.ticket; };
  auto found = std::ranges::find_if(calls_, waits);
  if (found == calls_.end()) return;
  Call& call = *found->second;
  call.ticket.reset();
  call.outcomes.waited += now_.steady - call.waiting_since;
  bool admitted = settled.outcome == Settled::Outcome::admitted;
  pursue(call, call.execution->resume(reply::Admitted{.admitted = admitted}, now_));
}

void Simulation::advance(std::chrono::nanoseconds duration) {
  const SteadyTime end = now_.steady + duration;
  const WallTime wall_end = now_.wall + std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  constexpr int most_wakes = 100'000;
  for (int i = 0; i < most_wakes; ++i) {
    std::optional<SteadyTime> next = state_.next_wake();
    for (const auto& [name, call] : calls_)
      if (call->resend_at) next = std::min(next.value_or(*call->resend_at), *call->resend_at);
    if (!next || *next > end) break;
    const auto step = std::max(*next - now_.steady, std::chrono::nanoseconds{});
    now_.steady += step;
    now_.wall = wall_end - std::chrono::duration_cast<std::chrono::milliseconds>(end - now_.steady);
    for (auto& [name, call] : calls_) {
      if (!call->resend_at || *call->resend_at > now_.steady) continue;
      call->resend_at.reset();
      call->outcomes.waited += now_.steady - call->waiting_since;
      begin_attempt(*call);
    }
    wake_waiters();
  }
  now_ = {end, wall_end};
  wake_waiters();
}

}  // namespace lunar
