// One attempt of a transaction on its way through the flows: request pass, response pass, end. Pure: each step returns
// what the agent must do (an effect), and the agent comes back with the reply. `docs`: flowengine/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "flowengine/processors/processor.h"
#include "flowengine/run/quota_use.h"
#include "flowengine/run/selection.h"

namespace lunar {

// What holding or copying a response needs, known when its head is there.
struct ResponseBodyUse {
  bool hold = false;
  bool copy = false;
  bool usage = false;  // tokens of an event stream are looked for as they go by
};

// The time, for measuring processors; the engine has no clock of its own.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  [[nodiscard]] virtual SteadyTime read() const = 0;
};

// How long one run of a processor took, without what it waited for.
struct RunTime {
  uint32_t flow = 0;
  uint32_t instance = 0;
  std::chrono::nanoseconds spent{};
};

// How an attempt ended.
struct AttemptEnd {
  bool complete = false;  // the response was delivered whole
};

// Not movable: contexts and views point into it. All calls on one thread; the agent owns it for the attempt.
class Execution {
 public:
  // `request` is the message's own (Request::own()), its body as far as it could be had. `selection` as select() left
  // it. `transaction` outlives the execution.
  Execution(std::shared_ptr<const Plan> plan, Transaction& transaction, std::unique_ptr<Request> request,
            Selection selection);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution();

  // The request pass: until Forward, Respond or Refuse.
  [[nodiscard]] Effect begin(Instant now);
  // The reply to the question asked last.
  [[nodiscard]] Effect resume(Reply reply, Instant now);
  // flows.processing_timeout has passed: what has not run counts as failed.
  [[nodiscard]] Effect time_out(Instant now);

  // After Forward: whether anything looks at the provider's response. If nothing does, there need be no response pass.
  [[nodiscard]] bool wants_response() const;

  // The response pass, over a response of the provider whose head is complete, or over the one that Respond made. Its
  // body is there if it was held.
  [[nodiscard]] ResponseBodyUse response_body_use(const Response& head);
  [[nodiscard]] Effect respond(std::unique_ptr<Response> response, Instant now);
  [[nodiscard]] Effect respond_early(Instant now) { return respond(nullptr, now); }

  // Exactly once, whatever happened. The response's body and usage are what could be copied of it.
  void finish(AttemptEnd end, Instant now);

  // Before begin(); `stopwatch` outlives the execution.
  void measure(const Stopwatch& stopwatch) { stopwatch_ = &stopwatch; }
  [[nodiscard]] std::span<const RunTime> run_times() const { return run_times_; }

  [[nodiscard]] Request& request() { return *request_; }
  [[nodiscard]] const Request& request() const { return *request_; }
  [[nodiscard]] Response* response() { return response_.get(); }
  [[nodiscard]] View& view() { return view_; }
  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] const Selection& selection() const { return selection_; }
  [[nodiscard]] AttemptNotes& notes() { return notes_; }
  // Those of the selection whose request side has begun, in order: an early answer leaves the others out.
  [[nodiscard]] std::span<const SelectedFlow> begun() const { return std::span(selection_.flows).first(begun_); }
  // Names of the flows that were selected, in order.
  [[nodiscard]] std::vector<std::string_view> flow_names() const;
  // Taken by the agent after every call above, and performed in order.
  [[nodiscard]] std::vector<Emission>& emissions() { return emissions_; }

 private:
  struct Frame {
    const std::vector<GraphEdge>* edges = nullptr;
    size_t next = 0;
    int16_t output = GraphEdge::any_output;
    bool continues_answer = false;  // edges without a condition count as well (flows.md §6.5)
  };
  struct Shadow;  // copies that a flow in shadow mode works on

  [[nodiscard]] Effect walk();
  [[nodiscard]] std::optional<Effect> step(Frame& frame);
  [[nodiscard]] std::optional<Effect> run_node(const GraphNode& node);
  [[nodiscard]] std::optional<Effect> take(Outcome outcome);
  [[nodiscard]] std::optional<Effect> take_answer(outcome::Answer answer);
  [[nodiscard]] std::optional<Effect> take_failure(const outcome::Failed& failed);
  [[nodiscard]] std::optional<Effect> ask_quota(uint32_t node, std::optional<effect::Enqueue> place);
  void take_retry(const outcome::Retry& retry);
  void follow(int16_t output);
  [[nodiscard]] bool begin_flow();  // false: no flow is left
  void begin_request_side(const Flow& flow);
  void begin_response_side(const Flow& flow);
  [[nodiscard]] Effect end_pass();
  [[nodiscard]] Context context(uint32_t flow, uint32_t instance);
  [[nodiscard]] bool in_shadow() const;
  [[nodiscard]] const SelectedFlow& current() const;
  void describe_shadow(std::string decision);

  // What most attempts need for the small vectors below, without going to the heap for each.
  alignas(std::max_align_t) std::array<std::byte, 1024> first_memory_;
  std::pmr::monotonic_buffer_resource memory_{first_memory_.data(), first_memory_.size()};

  std::shared_ptr<const Plan> plan_;
  Transaction& transaction_;
  std::unique_ptr<Request> request_;
  std::unique_ptr<Response> response_;
  View view_;
  Selection selection_;
  QuotaUse quotas_;
  AttemptNotes notes_;
  std::vector<Emission> emissions_;
  std::pmr::vector<std::pair<uint32_t, reply::Admitted>> verdicts_{&memory_};  // by instance: asked once an attempt

  Phase phase_ = Phase::request;
  Instant now_;
  size_t position_ = 0;                      // in the order of the pass: how many flows have begun
  size_t begun_ = 0;                         // of the selection, in the request pass
  std::pmr::vector<Frame> stack_{&memory_};  // of the flow that runs
  uint32_t steps_ = 0;                       // of the flow that runs, in this pass
  const GraphNode* running_ = nullptr;
  std::pmr::vector<uint32_t> responders_{
      &memory_};                         // positions in selection_ whose response side matches, in request order
  std::optional<uint32_t> answer_flow_;  // position in selection_ of the flow that answered
  uint32_t answer_instance_ = 0;
  int16_t answer_output_ = outcome::unnamed;
  std::unique_ptr<Shadow> shadow_;
  bool finished_ = false;
  const Stopwatch* stopwatch_ = nullptr;
  std::pmr::vector<RunTime> run_times_{&memory_};
};

}  // namespace lunar
