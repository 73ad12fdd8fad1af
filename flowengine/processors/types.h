// Every processor type there is: one line each here and in builtin.cpp.
#pragma once

#include "flowengine/expr/json.h"
#include "flowengine/processors/processor.h"

namespace lunar {

extern const ProcessorType limiter_type, queue_type, generate_response_type, filter_type, retry_type, read_cache_type,
    write_cache_type, transform_type, custom_script_type, count_tokens_type, har_collector_type, user_metrics_type,
    user_traces_type, quota_inc_type, quota_dec_type, mock_type, async_queue_type, async_retry_type;

// Parts that several files share.

// The node that `quota_id` names, noted as referred to; nothing when a finding was added.
[[nodiscard]] std::optional<uint32_t> quota_argument(Arguments& arguments, Surroundings& surroundings);
// The paths of a list or of the values of a map, as expressions; a finding for each that is none.
[[nodiscard]] std::optional<Expression> expression_argument(const Value& value, std::string_view text, Reader& reader);

// A value of a document as JSON; scalars by the core schema.
[[nodiscard]] Json to_json(const Value& value);

}  // namespace lunar
