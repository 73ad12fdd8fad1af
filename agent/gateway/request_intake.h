// From a parsed head to a request that can be exchanged: policy, routing, and the bytes as they go out.
#pragma once

#include <optional>
#include <string>

#include "agent/gateway/answers.h"
#include "agent/gateway/exchange.h"

namespace lunar::gateway {

struct Intake {
  Request request;
  uring::BufferRef head{nullptr, uring::BufferReturn{nullptr}};  // what goes out first
  uint32_t body_bytes = 0;                                       // of these, at the end
  std::optional<Answer> answer;                                  // instead of an exchange
  bool pooled = true;                                            // may use a connection that served others before
  bool fresh = false;   // of those, only one that was used a moment ago: this request must not be sent twice
  bool tunnel = false;  // CONNECT: everything behind the head is opaque
  bool probe = false;   // answered already
  std::string host;     // explicit modes: to be resolved
  uint16_t port = 0;

  [[nodiscard]] Nanoseconds pooled_limit() const {
    if (!pooled) return Nanoseconds::zero();
    return fresh ? UpstreamPool::fresh : UpstreamPool::longest_idle;
  }
};

// Both take the head (and what is there of its body) out of the client's input, using the worker's scratch.
[[nodiscard]] Intake take_captured(Session& session);
[[nodiscard]] Intake take_explicit(Session& session);
// Sends `intake.answer` and notes it.
[[nodiscard]] Served refuse_request(Session& session, Intake& intake);
// Explicit modes, and where a flow has changed the host: resolves the host and connects, or sets `answer`.
[[nodiscard]] uring::Task<> reach_provider(Session& session, Intake& intake);

}  // namespace lunar::gateway
