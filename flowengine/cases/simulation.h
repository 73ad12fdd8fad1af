// Transactions through a plan without a network: the caller plays client, provider and clock. What `lunarctl flows
// test` and the tests of the engine run on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flowengine/run/execution.h"
#include "flowengine/state/embedded_state.h"

namespace lunar {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct SimulatedRequest {
  std::string method = "GET";
  std::string url;  // scheme://host[:port]/path?query; without scheme: http
  HeaderList headers;
  std::optional<std::string> body;
  Caller caller;
  std::string consumer_tag;
};

struct SimulatedResponse {
  int status = 200;
  HeaderList headers;
  std::string body;
  bool unreachable = false;  // the provider gives no response
};

// What became of a transaction.
struct Outcomes {
  bool done = false;
  int status = 0;  // 0: reset
  HeaderList headers;
  std::string body;
  std::optional<std::string> blocked_by;  // error 20: the flow
  std::vector<SimulatedRequest> sent;     // what reached the provider, one an attempt
  std::vector<std::string> flows;         // that were selected, in request order, in the last attempt
  std::chrono::nanoseconds waited{};      // in queues and for retries
};

class Simulation {
 public:
  using ScriptRunner = std::function<reply::Scripted(const effect::RunScript&)>;

  Simulation(std::shared_ptr<const Plan> plan, Instant start, ScriptRunner scripts = {});
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  // Begins a transaction and runs it until it waits, is at the provider, or is done.
  void send(const std::string& name, const SimulatedRequest& request);
  // The provider's answer to a transaction that waits for one.
  [[nodiscard]] bool at_provider(const std::string& name) const;
  void answer(const std::string& name, const SimulatedResponse& response);
  void leave(const std::string& name);  // the client disconnects
  void advance(std::chrono::nanoseconds duration);
  void reload(std::shared_ptr<const Plan> plan);

  [[nodiscard]] const Outcomes& outcomes(const std::string& name) const;
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] EmbeddedState& state() { return state_; }
  [[nodiscard]] const std::vector<Emission>& emissions() const { return emissions_; }

 private:
  struct Call;
  [[nodiscard]] std::unique_ptr<Request> make_request(const Call& call) const;
  void begin_attempt(Call& call);
  void pursue(Call& call, Effect effect);
  [[nodiscard]] std::optional<Effect> ask(Call& call, Effect& effect);
  void drain(Call& call);
  void forward(Call& call);
  void deliver(Call& call);
  void end_attempt(Call& call, AttemptEnd end);
  void wake_waiters();
  void end_wait(const Settled& settled);

  std::shared_ptr<const Plan> plan_;
  Binding binding_;
  Instant now_;
  ScriptRunner scripts_;
  EmbeddedState state_;
  std::map<std::string, std::unique_ptr<Call>> calls_;
  std::vector<Emission> emissions_;
  uint64_t last_number_ = 0;
};

}  // namespace lunar
