// One request on its way through its flows and to its provider, as often as flows send it again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/gateway/flow_passage.h"
#include "agent/gateway/request_intake.h"
#include "agent/http/chunks.h"
#include "flowengine/run/execution.h"
#include "flowengine/run/token_usage.h"

namespace lunar::gateway {

class FlowAttempt {
 public:
  FlowAttempt(Session& session, ConcernedFlows& concerned, Intake intake);
  FlowAttempt(const FlowAttempt&) = delete;
  FlowAttempt& operator=(const FlowAttempt&) = delete;

  [[nodiscard]] uring::Task<Served> run();

 private:
  // Of a response between its head and its end.
  struct Answering {
    Interception interception;
    std::string reason;
    int minor_version = 1;
    http::BodyFraming framing;
    MonotonicTime hold_deadline = MonotonicTime::max();
    std::unique_ptr<Response> response;  // until the engine has it
    EventUsage usage;
    bool resend = false;
    std::optional<Served> over;  // instead of what the exchange says
  };

  [[nodiscard]] uring::Task<> hold_request_body();
  void put_aside();
  [[nodiscard]] std::string_view head() const;
  [[nodiscard]] std::string_view body() const;
  void settle_request_body(lunar::Request& request) const;
  void note_kept_body(const Exchange& exchange, const Interception& kept);
  [[nodiscard]] bool replayable() const;  // the body is empty, or kept within flows.body_limit
  void begin_execution();
  void begin_pass();                                  // from now on flows.processing_timeout runs
  [[nodiscard]] bool settle_at_once(Effect& effect);  // false: pursue() has to wait for its reply
  [[nodiscard]] uring::Task<Effect> pursue(Effect effect);
  [[nodiscard]] std::optional<Effect> answer_at_once(Effect& effect);
  [[nodiscard]] uring::Task<Reply> wait_in_line(const effect::Enqueue& place);
  [[nodiscard]] uring::Task<Reply> run_script(const effect::RunScript& script);
  [[nodiscard]] uring::Task<std::optional<Served>> act(Effect effect);
  [[nodiscard]] uring::Task<std::optional<Served>> answer_with_flows();
  [[nodiscard]] uring::Task<bool> wait_to_resend(Nanoseconds wait);

  [[nodiscard]] uring::Task<std::optional<Served>> forward();
  [[nodiscard]] bool must_be_reached() const;  // not yet known where it goes
  [[nodiscard]] uring::Task<> reach();
  [[nodiscard]] uring::BufferRef outgoing(Request& request);
  [[nodiscard]] uring::Task<Exchange::State> relay(Exchange& exchange, Answering& answering);
  [[nodiscard]] std::optional<MonotonicTime> sleep_until(const Exchange& exchange, Answering& answering) const;
  [[nodiscard]] bool response_head(Exchange& exchange, Answering& answering);  // false: the body is held first
  [[nodiscard]] Effect begin_response_pass(const Exchange& exchange, Answering& answering);
  [[nodiscard]] uring::Task<> end_response_pass(Exchange& exchange, Answering& answering, Effect effect);
  void deliver(Exchange& exchange, Answering& answering);
  void fill_body(Exchange& exchange, Answering& answering, Response& response) const;
  [[nodiscard]] std::string_view why_response_unseen(const Exchange& exchange, const Answering& answering,
                                                     const Response& response) const;
  void count_copied_request(const Interception& kept);
  void count_skipped_view(bool response, std::string_view reason);  // no reason: it was seen
  [[nodiscard]] Served end_exchange(Exchange& exchange, Answering& answering, Exchange::State state);

  [[nodiscard]] Served client_left(bool handed_over);  // whether this attempt's record is on its way already
  void end_execution(AttemptEnd end);
  void drain();
  void hand_over_record(const RecordDraft& draft);
  [[nodiscard]] CallFacts describe_call(const RecordDraft& draft) const;
  [[nodiscard]] const Instant& now() const;
  [[nodiscard]] bool client_gone() const;
  [[nodiscard]] TransactionId transaction_id() const;

  Session& session_;
  ConcernedFlows& concerned_;
  Intake intake_;
  FlowState& state_;
  // The head as it goes out where no flow changes it, and what is there of the body, in its framing: in the buffer in
  // which they came, or in memory of our own.
  uring::BufferRef first_;
  std::string head_, body_;
  http::BodyFraming framing_;
  bool body_whole_ = false;
  std::unique_ptr<lunar::Request> original_;  // for attempts after the first
  std::string provider_head_;                 // as the provider sent it; responses borrow from it
  std::optional<Execution> execution_;
  std::vector<Emission> emissions_;  // of this attempt, for its record
  std::vector<QueueStay> stays_;
  MonotonicTime processing_deadline_{};
  Nanoseconds resend_wait_{};
  bool gone_ = false;  // the client left, or the gateway ends
};

}  // namespace lunar::gateway
