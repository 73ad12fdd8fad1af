// What a processor sees while it runs, and what it can say. Lives on the stack of one step.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "flowengine/run/effect.h"

namespace lunar {

enum class Phase : uint8_t { request, response };

// Deterministic per seed: the agent gives the randomness, once a transaction.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  [[nodiscard]] double roll();                            // the next one, uniform in 0..1
  [[nodiscard]] double kept_roll(std::string_view name);  // always the same for a name
  [[nodiscard]] uint64_t next();

 private:
  uint64_t state_;
  uint64_t seed_ = state_;
};

struct RetryState {
  int64_t used = 0;  // attempts of one instance in this transaction
};

// What outlives an attempt: everything that a replay must remember.
struct Transaction {
  explicit Transaction(uint64_t seed, uint64_t number) : dice(seed), id(number) {}

  Dice dice;
  uint64_t id;                             // unique in this process
  uint32_t attempt = 0;                    // from 0
  std::map<uint32_t, RetryState> retries;  // by instance
  std::chrono::nanoseconds waited{};       // for retries so far
  std::chrono::nanoseconds retry_timeout{};
};

struct OpenSpan {
  uint32_t instance = 0;
  bool answered = false;
  emission::Span span;
  SteadyTime begun{};
};

// The last refusal of a quota in this attempt, for those who tell the client.
struct QuotaRefusal {
  SteadyTime earliest{};
  std::optional<int64_t> limit;  // of the node that was asked
};

// What processors of one attempt leave for one another and for its end.
struct AttemptNotes {
  std::vector<uint32_t> observers;  // instances that want to see the end of the response, in run order
  std::vector<uint32_t> observer_flows;
  std::vector<OpenSpan> spans;
  std::map<uint32_t, std::string> cache_keys;  // by instance: of the request as it was when the flow began
  std::optional<QuotaRefusal> refusal;
  bool request_replayable = true;                      // its body is empty, or completely kept
  std::optional<std::chrono::nanoseconds> retry_wait;  // some Retry said `retry`
};

struct Context {
  Phase phase = Phase::request;
  Request& request;
  Response* response = nullptr;  // null in the request phase
  View& view;
  Instant now;
  const Plan& plan;
  uint32_t flow = 0;
  uint32_t instance = 0;
  Transaction& transaction;
  AttemptNotes& notes;
  std::vector<Emission>& emissions;

  void measure(emission::Meter meter, double amount = 1) const;
  // Called again, as Processor::observed(), when the response has ended.
  void observe_end() const;
};

namespace outcome {

inline constexpr int16_t unnamed = -1;

struct Done {
  int16_t output = unnamed;  // index in the type's outputs
};
struct Failed {
  std::string reason;  // a stable word
  std::string text;
};
struct Answer {
  std::unique_ptr<Response> response;
  int16_t output = unnamed;
};
struct AskQuota {
  uint32_t node = 0;
};
struct AskLine {
  uint32_t node = 0;
  effect::Enqueue place;  // everything but the chain
};
struct Retry {
  std::chrono::nanoseconds wait{};
  int16_t output = unnamed;
};

}  // namespace outcome

using Outcome = std::variant<outcome::Done, outcome::Failed, outcome::Answer, outcome::AskQuota, outcome::AskLine,
                             outcome::Retry, effect::ReadCache, effect::RunScript>;

}  // namespace lunar
