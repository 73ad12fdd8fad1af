// Answers that flows make: the client gets them from here, not from a provider.
#pragma once

#include "agent/gateway/flow_message.h"
#include "agent/gateway/request_intake.h"

namespace lunar::gateway {

// The engine's response, as it stands. `request` has been taken in; its body is read and dropped first, as far as that
// is short.
[[nodiscard]] uring::Task<Served> answer_early(Session& session, Request& request, const Response& response);

// on_error: block: error 20, with the flow's name.
[[nodiscard]] uring::Task<Served> answer_blocked(Session& session, Request& request, std::string flow);

}  // namespace lunar::gateway
