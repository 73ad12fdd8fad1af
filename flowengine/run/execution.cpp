#include "flowengine/run/execution.h"

#include <algorithm>

namespace lunar {

namespace {

// Paths that part and meet again multiply: a flow with 60 of them in a row would walk for ages.
constexpr uint32_t most_steps = 100'000;
constexpr size_t usual_depth = 8;  // of a flow's graph

}  // namespace

// A flow in shadow mode sees its own changes and nobody else does.
struct Execution::Shadow {
  Shadow(const Request& original, const Response* answer)
      : request(clone(original)),
        response(answer == nullptr ? nullptr : clone(*answer)),
        view(*request, response.get()) {}

  std::unique_ptr<Request> request;
  std::unique_ptr<Response> response;
  View view;
};

Execution::Execution(std::shared_ptr<const Plan> plan, Transaction& transaction, std::unique_ptr<Request> request,
                     Selection selection)
    : plan_(std::move(plan)),
      transaction_(transaction),
      request_(std::move(request)),
      view_(*request_, nullptr),
      selection_(std::move(selection)),
      quotas_(*plan_, *request_, view_, memory_) {
  stack_.reserve(usual_depth);
  settle(*plan_, *request_, transaction_.dice, selection_);
}

Execution::~Execution() = default;

std::vector<std::string_view> Execution::flow_names() const {
  std::vector<std::string_view> out;
  for (const SelectedFlow& selected : selection_.flows) out.emplace_back(plan_->flows[selected.flow].name);
  return out;
}

const SelectedFlow& Execution::current() const {
  if (phase_ == Phase::request) return selection_.flows[position_ - 1];
  return selection_.flows[responders_[responders_.size() - position_]];
}

bool Execution::in_shadow() const { return shadow_ != nullptr; }

Context Execution::context(uint32_t flow, uint32_t instance) {
  bool shadowed = in_shadow();
  return {.phase = phase_,
          .request = shadowed ? *shadow_->request : *request_,
          .response = shadowed ? shadow_->response.get() : response_.get(),
          .view = shadowed ? shadow_->view : view_,
          .now = now_,
          .plan = *plan_,
          .flow = flow,
          .instance = instance,
          .transaction = transaction_,
          .notes = notes_,
          .emissions = emissions_};
}

// Passes

Effect Execution::begin(Instant now) {
  now_ = now;
  if (std::span<Claim> claims = quotas_.next_automatic(selection_); !claims.empty()) return effect::Count{claims};
  return walk();
}

Effect Execution::resume(Reply reply, Instant now) {
  now_ = now;
  if (std::holds_alternative<reply::Counted>(reply)) {
    quotas_.automatic_counted();
    return begin(now);
  }
  const uint32_t instance = running_->instance;
  if (auto* admitted = std::get_if<reply::Admitted>(&reply)) {
    if (admitted->admitted) quotas_.acquired();
    if (!admitted->admitted && admitted->earliest) notes_.refusal = QuotaRefusal{*admitted->earliest, admitted->limit};
    verdicts_.emplace_back(instance, *admitted);
  }
  Context here = context(current().flow, instance);
  auto effect = take(plan_->instances[instance].processor->resume(here, reply));
  return effect ? *std::move(effect) : walk();
}

Effect Execution::time_out(Instant now) {
  now_ = now;
  std::optional<Effect> refused;
  if (running_ != nullptr) refused = take_failure({"timeout", "flows.processing_timeout has passed"});
  running_ = nullptr;
  while (!refused && begin_flow()) {
    if (plan_->flows[current().flow].blocks_on_error) refused = effect::Refuse{plan_->flows[current().flow].name};
  }
  stack_.clear();
  return refused ? *std::move(refused) : end_pass();
}

bool Execution::wants_response() const {
  if (!notes_.observers.empty() || !notes_.spans.empty() || quotas_.wants_response(selection_)) return true;
  return std::ranges::any_of(selection_.flows, [this](const SelectedFlow& selected) {
    const Graph& side = plan_->flows[selected.flow].response;
    return side.rooted &&
           std::ranges::any_of(side.root, [](const GraphEdge& edge) { return edge.target != GraphEdge::stream_end; });
  });
}

ResponseBodyUse Execution::response_body_use(const Response& head) {
  ResponseBodyUse out;
  View view(*request_, &head);
  for (const SelectedFlow& selected : selection_.flows) {
    const Flow& flow = plan_->flows[selected.flow];
    if (!flow.response.rooted && flow.response.nodes.empty()) continue;
    view.set_path_params(&selected.params);
    Match match = flow.filter.response(view, head, BodyKnown::pending);
    if (match == Match::no) continue;
    out.hold = out.hold || match == Match::needs_body || flow.body.hold_response;
    out.copy = out.copy || flow.body.copy_response;
  }
  quotas_.for_each_touched([&](uint32_t node) {
    const auto& counter = plan_->quota_rules[node].counter;
    out.copy = out.copy || (counter && counter->root() == Root::response && counter->needs_body());
    out.usage = out.usage || (counter && counter->needs_usage());
  });
  out.usage = out.usage || out.copy;
  return out;
}

Effect Execution::respond(std::unique_ptr<Response> response, Instant now) {
  now_ = now;
  if (response != nullptr) response_ = std::move(response);
  phase_ = Phase::response;
  position_ = 0;
  stack_.clear();
  running_ = nullptr;
  view_.set_response(response_.get());
  responders_.clear();
  for (uint32_t i = 0; i < selection_.flows.size(); ++i) {
    view_.set_path_params(&selection_.flows[i].params);
    const Filter& filter = plan_->flows[selection_.flows[i].flow].filter;
    if (filter.response(view_, *response_, BodyKnown::settled) == Match::yes) responders_.push_back(i);
  }
  return walk();
}

Effect Execution::end_pass() {
  shadow_.reset();
  if (phase_ == Phase::request) return effect::Forward{};
  if (notes_.retry_wait) {
    transaction_.waited += *notes_.retry_wait;
    return effect::Resend{*notes_.retry_wait};
  }
  return effect::Deliver{};
}

void Execution::finish(AttemptEnd end, Instant now) {
  if (finished_) return;
  finished_ = true;
  now_ = now;
  shadow_.reset();
  const std::vector<uint32_t> observers = std::exchange(notes_.observers, {});
  const std::vector<uint32_t> flows = std::exchange(notes_.observer_flows, {});
  phase_ = Phase::response;
  view_.response_changed();
  for (size_t i = 0; i < observers.size(); ++i) {
    if (response_ == nullptr) break;
    auto observing = std::ranges::find(selection_.flows, flows[i], &SelectedFlow::flow);
    view_.set_path_params(observing == selection_.flows.end() ? nullptr : &observing->params);
    Context here = context(flows[i], observers[i]);
    plan_->instances[observers[i]].processor->observed(here, end.complete);
  }
  // What no response side has closed: spans end with the attempt.
  while (!notes_.spans.empty()) {
    const uint32_t instance = notes_.spans.back().instance;
    const size_t before = notes_.spans.size();
    Context here = context(0, instance);
    plan_->instances[instance].processor->observed(here, end.complete);
    if (notes_.spans.size() == before) notes_.spans.pop_back();
  }
  quotas_.finish(selection_, response_.get(), emissions_);
}

// The walk (flows.md §6.4)

bool Execution::begin_flow() {
  const size_t count = phase_ == Phase::request ? selection_.flows.size() : responders_.size();
  shadow_.reset();
  if (position_ >= count) return false;
  ++position_;
  steps_ = 0;
  const Flow& flow = plan_->flows[current().flow];
  view_.set_path_params(&current().params);
  if (flow.shadow) {
    shadow_ = std::make_unique<Shadow>(*request_, response_.get());
    shadow_->view.set_path_params(&current().params);
  }
  if (phase_ == Phase::request) {
    begin_request_side(flow);
  } else {
    begin_response_side(flow);
  }
  return true;
}

void Execution::begin_request_side(const Flow& flow) {
  ++begun_;
  for (const Graph* graph : {&flow.request, &flow.response}) {
    for (const GraphNode& node : graph->nodes) {
      Context here = context(current().flow, node.instance);
      plan_->instances[node.instance].processor->flow_begins(here);
    }
  }
  stack_.push_back({.edges = &flow.request.root});
}

void Execution::begin_response_side(const Flow& flow) {
  const size_t in_selection = responders_[responders_.size() - position_];
  if (answer_flow_ != in_selection) {
    if (flow.response.rooted) stack_.push_back({.edges = &flow.response.root});
    return;
  }
  auto producer = std::ranges::find_if(flow.response.nodes, [this](const GraphNode& node) {
    return node.instance == answer_instance_ && !node.edges.empty();
  });
  if (producer == flow.response.nodes.end()) return;
  stack_.push_back({.edges = &producer->edges, .output = answer_output_, .continues_answer = true});
}

Effect Execution::walk() {
  for (;;) {
    running_ = nullptr;
    if (stack_.empty()) {
      if (!begin_flow()) return end_pass();
      continue;
    }
    if (auto effect = step(stack_.back())) return *std::move(effect);
  }
}

std::optional<Effect> Execution::step(Frame& frame) {
  if (frame.next == frame.edges->size()) {
    stack_.pop_back();
    return std::nullopt;
  }
  const GraphEdge& edge = (*frame.edges)[frame.next++];
  bool taken = edge.taken(frame.output) || (frame.continues_answer && edge.output == GraphEdge::no_output);
  if (!taken || edge.target == GraphEdge::stream_end) return std::nullopt;
  const Flow& flow = plan_->flows[current().flow];
  return run_node((phase_ == Phase::request ? flow.request : flow.response).nodes[edge.target]);
}

std::optional<Effect> Execution::run_node(const GraphNode& node) {
  running_ = &node;
  if (++steps_ > most_steps)
    return take_failure({"steps", "more than " + std::to_string(most_steps) + " steps of one flow"});
  if (!node.runs) {
    follow(outcome::unnamed);
    return std::nullopt;
  }
  Context here = context(current().flow, node.instance);
  if (stopwatch_ == nullptr) return take(plan_->instances[node.instance].processor->run(here));
  const SteadyTime begun = stopwatch_->read();
  Outcome outcome = plan_->instances[node.instance].processor->run(here);
  run_times_.push_back({current().flow, node.instance, stopwatch_->read() - begun});
  return take(std::move(outcome));
}

void Execution::follow(int16_t output) { stack_.push_back({.edges = &running_->edges, .output = output}); }

std::optional<Effect> Execution::take(Outcome outcome) {
  if (auto* done = std::get_if<outcome::Done>(&outcome)) {
    follow(done->output);
    return std::nullopt;
  }
  if (auto* failed = std::get_if<outcome::Failed>(&outcome)) return take_failure(*failed);
  if (auto* answer = std::get_if<outcome::Answer>(&outcome)) return take_answer(std::move(*answer));
  if (auto* ask = std::get_if<outcome::AskQuota>(&outcome)) return ask_quota(ask->node, std::nullopt);
  if (auto* ask = std::get_if<outcome::AskLine>(&outcome)) return ask_quota(ask->node, std::move(ask->place));
  if (auto* retry = std::get_if<outcome::Retry>(&outcome)) {
    take_retry(*retry);
    return std::nullopt;
  }
  if (auto* read = std::get_if<effect::ReadCache>(&outcome)) return std::move(*read);
  return std::move(std::get<effect::RunScript>(outcome));
}

std::optional<Effect> Execution::take_failure(const outcome::Failed& failed) {
  emissions_.emplace_back(emission::ProcessorFailed{running_->instance, failed.reason, failed.text});
  stack_.clear();
  const Flow& flow = plan_->flows[current().flow];
  if (!flow.blocks_on_error || in_shadow()) return std::nullopt;
  return effect::Refuse{flow.name};
}

std::optional<Effect> Execution::take_answer(outcome::Answer answer) {
  stack_.clear();
  if (in_shadow()) {
    describe_shadow("would answer with " + std::to_string(answer.response->status));
    return std::nullopt;
  }
  response_ = std::move(answer.response);
  answer_flow_ = static_cast<uint32_t>(position_ - 1);
  answer_instance_ = running_->instance;
  answer_output_ = answer.output;
  return effect::Respond{};
}

std::optional<Effect> Execution::ask_quota(uint32_t node, std::optional<effect::Enqueue> place) {
  auto known = std::ranges::find(verdicts_, running_->instance, &std::pair<uint32_t, reply::Admitted>::first);
  if (known != verdicts_.end()) {
    Reply again = known->second;
    Context here = context(current().flow, running_->instance);
    return take(plan_->instances[running_->instance].processor->resume(here, again));
  }
  std::span<const Claim> chain = quotas_.chain(node);
  if (!place || in_shadow()) return effect::Acquire{chain};
  place->chain = chain;
  return *std::move(place);
}

void Execution::take_retry(const outcome::Retry& retry) {
  if (in_shadow()) {
    describe_shadow("would send the request again");
  } else {
    notes_.retry_wait = std::max(notes_.retry_wait.value_or(retry.wait), retry.wait);
  }
  follow(retry.output);
}

void Execution::describe_shadow(std::string decision) {
  emissions_.emplace_back(emission::Shadowed{current().flow, std::move(decision)});
}

}  // namespace lunar
