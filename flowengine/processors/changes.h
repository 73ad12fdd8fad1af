// Changes to a message that more than one processor makes, with the rules of flows.md §6.7.
#pragma once

#include <string>
#include <string_view>

#include "flowengine/message.h"

namespace lunar {

// Whether a processor may set this field: a token, no hop-by-hop field, a value without control characters.
[[nodiscard]] bool is_settable_field(std::string_view name, std::string_view value);
[[nodiscard]] bool is_hop_by_hop_field(std::string_view name);

// False, and nothing changed, where the text cannot stand in a request line.
[[nodiscard]] bool set_path(Request& request, std::string_view path);
[[nodiscard]] bool set_query(Request& request, std::string_view query);
// `host[:port]`.
[[nodiscard]] bool set_host(Request& request, std::string_view authority);

}  // namespace lunar
