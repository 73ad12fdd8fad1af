#include <algorithm>
#include <iterator>

#include "flowengine/processors/processor.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr const ProcessorType* types[] = {
    &limiter_type,       &queue_type,        &generate_response_type, &filter_type,        &retry_type,
    &read_cache_type,    &write_cache_type,  &transform_type,         &custom_script_type, &count_tokens_type,
    &har_collector_type, &user_metrics_type, &user_traces_type,       &quota_inc_type,     &quota_dec_type,
    &mock_type,          &async_queue_type,  &async_retry_type,
};

}  // namespace

std::span<const ProcessorType* const> builtin_processors() { return types; }

const ProcessorType* find_processor(std::string_view name) {
  auto found = std::ranges::find_if(types, [name](const ProcessorType* type) { return type->name == name; });
  return found == std::end(types) ? nullptr : *found;
}

Outcome Processor::resume(Context& /*context*/, Reply& /*reply*/) const {
  return outcome::Failed{"unexpected", "an answer came to a processor that had asked nothing"};
}

}  // namespace lunar
