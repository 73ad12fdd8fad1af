// Answers that the gateway makes itself: which failure gets which status, code and text (gateway.md §3).
#pragma once

#include <string>
#include <string_view>

#include "agent/gateway/recorder.h"
#include "agent/gateway/session.h"

namespace lunar::gateway {

enum class Refusal : uint8_t {
  routing,         // 1: where to is missing or malformed
  unreachable,     // 2
  timeout,         // 3
  own_listener,    // 4
  unresolved,      // 5
  not_allowed,     // 6
  blocked,         // 7
  shutting_down,   // 10
  flow_failed,     // 20
  malformed,       // 21
  head_too_large,  // 21
  misdirected,     // 22
};

struct Answer {
  Refusal refusal{};
  std::string detail;  // what exactly: the header, the host, the reason
  bool close = false;  // the connection's further bytes have no known meaning
  bool head_only = false;
};

// Queues the answer on the client's connection and notes it in the draft.
void answer(Session& session, RecordDraft& draft, const Answer& what);

}  // namespace lunar::gateway
