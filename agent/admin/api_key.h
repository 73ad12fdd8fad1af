// The key of the control API on TCP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/admin/http_server.h"

namespace lunar::admin {

// Whether the value of an Authorization field is `Bearer <key>`. Takes the same time wherever the first difference is.
// An empty key matches nothing.
[[nodiscard]] bool bearer_matches(std::string_view authorization, std::string_view key);

// For HttpListener::gate: 401 unless the key matches.
[[nodiscard]] std::function<std::optional<HttpResponse>(const HttpRequest&)> require_key(std::string key);

}  // namespace lunar::admin
