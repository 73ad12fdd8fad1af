// What the fields of a parsed head mean for framing and for the connection (RFC 9112 §6.3, §9.3; RFC 9110 §7.6).
#pragma once

#include "agent/http/head.h"

namespace lunar::http {

// Set everything of `head` that follows from its fields. Return nullptr, or why the message has no certain boundary.
[[nodiscard]] const char* apply_request_rules(RequestHead& head);
[[nodiscard]] const char* apply_response_rules(RequestContext request, ResponseHead& head);

}  // namespace lunar::http
