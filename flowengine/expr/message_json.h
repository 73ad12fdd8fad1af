// Parts of a message as JSON.
#pragma once

#include <optional>

#include "flowengine/expr/json.h"
#include "flowengine/message.h"

namespace lunar {

// Names that differ in case are one, spelt as they came first.
[[nodiscard]] Json headers_json(const Message& message);      // first values
[[nodiscard]] Json headers_all_json(const Message& message);  // all of them
[[nodiscard]] Json query_param_json(const Request& request);
[[nodiscard]] Json parsed_query_json(const Request& request);
[[nodiscard]] Json parsed_url_json(const Request& request);
[[nodiscard]] Json path_segments_json(const Request& request);
[[nodiscard]] Json path_params_json(const PathParams* params);
[[nodiscard]] std::optional<Json> process_json(const Caller* caller);
[[nodiscard]] std::optional<Json> usage_json(const std::optional<TokenUsage>& usage);

inline constexpr std::string_view usage_names[] = {"prompt_tokens", "completion_tokens", "input_tokens",
                                                   "output_tokens", "total_tokens"};
// Input and prompt mirror each other, so do output and completion; a missing total is their sum.
[[nodiscard]] std::optional<int64_t> usage_value(const TokenUsage& usage, std::string_view name);
// The text of a member of `process`; nothing where it is unknown.
[[nodiscard]] std::optional<std::string> process_text(const Caller* caller, std::string_view name);

}  // namespace lunar
