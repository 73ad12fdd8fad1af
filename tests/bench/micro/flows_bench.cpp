// What flows cost the engine: loading many, selecting among them, and a whole Limiter flow; one core, the best of
// several rounds.
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

#include "flowengine/compile/compiler.h"
#include "flowengine/run/execution.h"
#include "flowengine/state/embedded_state.h"

using namespace lunar;

namespace {

constexpr size_t kFlows = 10'000;
constexpr int kRounds = 7;
constexpr int kCalls = 20'000;

std::string limiter_flow(size_t number) {
  const std::string n = std::to_string(number);
  return "name: F" + n + "\nfilter: {url: \"h" + n +
         ".example.com/v1/*\", methods: [GET]}\nprocessors:\n  L: {processor: Limiter, parameters: [{key: quota_id, "
         "value: Q}]}\n"
         "  R: {processor: GenerateResponse, parameters: [{key: status, value: 429}]}\nflow:\n  request:\n"
         "    - {from: {stream: {name: s, at: start}}, to: {processor: {name: L}}}\n"
         "    - {from: {processor: {name: L, condition: above_limit}}, to: {processor: {name: R}}}\n"
         "    - {from: {processor: {name: L, condition: below_limit}}, to: {stream: {name: s, at: end}}}\n"
         "  response:\n    - {from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}\n"
         "    - {from: {processor: {name: R}}, to: {stream: {name: s, at: end}}}\n";
}

Sources sources_of(size_t flows) {
  Sources out;
  for (size_t i = 0; i < flows; ++i) out.flows.push_back({"flows/" + std::to_string(i) + ".yaml", limiter_flow(i)});
  out.quotas.push_back(
      {"quotas/q.yaml",
       "quotas: [{id: Q, filter: {url: \"h0.example.com/*\"}, strategy: {fixed_window: {max: 9000000000000, "
       "interval: 1, interval_unit: hour}}}]\n"});
  return out;
}

double best_nanoseconds(int calls, const std::function<void()>& work) {
  double best = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) work();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / calls);
  }
  return best;
}

constexpr std::pair<std::string_view, std::string_view> kFields[] = {
    {"Host", "h0.example.com"},
    {"User-Agent", "shop/1.0"},
    {"Accept", "*/*"},
    {"Accept-Encoding", "gzip"},
    {"Authorization", "Bearer 0123456789abcdef0123456789abcdef"},
    {"X-Request-Id", "0f1e2d3c4b5a"},
    {"Content-Type", "application/json"},
    {"Connection", "keep-alive"}};

void fill(Request& request, std::string_view host) {
  request.method = "GET";
  request.host = host;
  request.port = 443;
  request.path = "/v1/orders/12345/items";
  request.query = "page=2";
  request.fields.clear();
  for (const auto& [name, value] : kFields) request.fields.push_back({name, value});
}

double select_nanoseconds(const Plan& plan) {
  Request request;
  fill(request, "nowhere.example.com");
  Dice dice(1);
  SelectionScratch scratch;
  Selection selection;
  return best_nanoseconds(kCalls, [&] { select(plan, request, dice, scratch, selection); });
}

// Everything that the gateway asks the engine for one request and its response.
void run_limiter(const std::shared_ptr<const Plan>& plan, EmbeddedState& state, const Binding& binding,
                 uint64_t number) {
  const Instant now{SteadyTime{std::chrono::hours(1)}, WallTime{std::chrono::hours(500'000)}};
  Transaction transaction(number, number);
  SelectionScratch scratch;
  Selection selection;
  auto request = std::make_unique<Request>();
  fill(*request, "h0.example.com");
  select(*plan, *request, transaction.dice, scratch, selection);
  request->own();
  Execution execution(plan, transaction, std::move(request), std::move(selection));
  Effect effect = execution.begin(now);
  if (auto* acquire = std::get_if<effect::Acquire>(&effect))
    effect = execution.resume(state.acquire(*plan, binding, *acquire, TransactionId{number}, now), now);
  if (!std::holds_alternative<effect::Forward>(effect)) std::abort();
  auto response = std::make_unique<Response>();
  response->status = 200;
  if (!std::holds_alternative<effect::Deliver>(execution.respond(std::move(response), now))) std::abort();
  execution.finish({.complete = true}, now);
}

}  // namespace

int main() {
  const Sources many = sources_of(kFlows);
  Compiled compiled;
  const double load = best_nanoseconds(1, [&] { compiled = compile(many, {}); });
  if (compiled.plan == nullptr) return 1;
  std::printf("loading %zu flows: %.2f s\n", kFlows, load / 1e9);
  const std::shared_ptr<const Plan> none = compile({}, {}).plan;
  const double empty = select_nanoseconds(*none);
  const double full = select_nanoseconds(*compiled.plan);
  std::printf("a request that no flow concerns: %.0f ns with none loaded, %.0f ns with %zu\n", empty, full, kFlows);
  EmbeddedState state;
  const Binding binding = state.bind(*compiled.plan, {SteadyTime{std::chrono::hours(1)}, {}});
  uint64_t number = 0;
  const double limiter = best_nanoseconds(kCalls, [&] { run_limiter(compiled.plan, state, binding, ++number); });
  std::printf("a Limiter flow, request and response: %.0f ns\n", limiter);
}
