// What the engine asks of its surroundings, and what they answer. The engine never waits: it returns an effect, and
// is resumed with the reply (design: pure core, thin edges).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "flowengine/expr/json.h"
#include "flowengine/message.h"
#include "flowengine/plan/plan.h"
#include "flowengine/quota/ledger.h"

namespace lunar {

// A response in a cache: complete, without hop-by-hop fields.
struct CachedResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;    // as it was on the wire
  std::string method;  // that it answers
  WallTime stored{};
  WallTime expires{};
  std::vector<std::pair<std::string, std::string>> vary;  // request fields that it depends on, with their values

  [[nodiscard]] size_t bytes() const;
};

namespace effect {

// The request goes out as it stands now.
struct Forward {};
// Answer with the execution's response; the provider is not called.
struct Respond {};
// The response goes to the client as it stands now.
struct Deliver {};
// The response is discarded, and the client's request sent again after `wait` as a new attempt.
struct Resend {
  std::chrono::nanoseconds wait{};
};
// on_error: block, and nothing was sent yet: error 20.
struct Refuse {
  std::string flow;
};

// Quota: reply::Admitted. The chain is valid until the reply.
struct Acquire {
  std::span<const Claim> chain;
};
// Automatic counting (flows.md §8.7), which marks the claims that it counted: reply::Counted.
struct Count {
  std::span<Claim> claims;
};
// A place in a waiting line, unless it is admitted at once: reply::Admitted.
struct Enqueue {
  std::span<const Claim> chain;
  std::string flow, key, group;  // whose line it is
  std::string priority_group;    // for metrics
  int64_t priority = 0;          // lower is served first
  int64_t size = 0;
  std::chrono::nanoseconds ttl{};
  uint32_t instance = 0;
};
// reply::Cached.
struct ReadCache {
  std::string key;
};
// reply::Scripted.
struct RunScript {
  std::string text;
  std::chrono::milliseconds cpu_time{};
  int64_t heap_bytes = 0;
  std::string request;                  // JSON with the members of flows.md §5.2; `body` is the text
  std::optional<std::string> response;  // missing in the request phase
};

}  // namespace effect

using Effect = std::variant<effect::Forward, effect::Respond, effect::Deliver, effect::Resend, effect::Refuse,
                            effect::Count, effect::Acquire, effect::Enqueue, effect::ReadCache, effect::RunScript>;

namespace reply {

struct Admitted {
  bool admitted = false;
  std::optional<SteadyTime> earliest;  // of a refusal: when it could succeed
  std::optional<int64_t> limit;        // of the node that was asked, where it has one
};
struct Counted {};
struct Cached {
  std::shared_ptr<const CachedResponse> found;  // null: a miss
};
// The writable members that a script changed, as JSON: of the response if there was one, of the request otherwise.
// `headers` holds all fields that are left, by lower-case name; `body` is text.
struct Scripted {
  std::string changes;
  std::optional<std::string> error;  // it threw, or met a limit: nothing applies
};

}  // namespace reply

using Reply = std::variant<reply::Admitted, reply::Counted, reply::Cached, reply::Scripted>;

// What happens beside the answer and needs no reply; collected by an execution, performed by the agent in order.
namespace emission {

// What a response counter found, for the current window.
struct AddToQuota {
  uint32_t node = 0;
  std::string group;
  int64_t amount = 0;
  bool within_limit = false;  // automatic counting never goes above it
};
struct ReleaseSlot {
  uint32_t node = 0;
};
// The attempt is over: its admissions are no longer in flight.
struct LearnQuota {
  uint32_t node = 0;
  std::optional<std::string> quota, reset, retry_after;  // values of its fields
  bool answered = true;                                  // false: no response came
};
struct WriteCache {
  std::string key;
  std::string partition;  // the flow: whose entries are bounded together
  std::shared_ptr<const CachedResponse> response;
  std::chrono::nanoseconds ttl{};
  int64_t partition_limit = 0;  // bytes
  uint32_t instance = 0;
};
struct CaptureHar {
  std::string exporter;
  std::string flow;
  std::shared_ptr<Json> entry;  // HAR 1.2 without what only the agent knows: time, timings, serverIPAddress, cache
  uint32_t instance = 0;
};
// A measurement of an instance: see metric names in gateway.md §9.
enum class Meter : uint8_t {
  limiter_below,
  limiter_above,
  generated,
  filter_hit,
  filter_miss,
  retry,
  retry_failed,
  cache_hit,
  cache_miss,
  cache_bytes_served,
  cache_bytes_written,
  cache_entries_written,
  har_bytes,
  llm_tokens,
};
struct Measure {
  Meter meter{};
  uint32_t instance = 0;
  double amount = 1;
  std::string model, model_type, encoding;  // of llm_tokens
};
// One sample of a UserDefinedMetrics instance.
struct UserMetric {
  uint32_t instance = 0;
  double value = 0;
  std::vector<std::pair<std::string, std::string>> labels;  // the custom ones
};
// Its value was not a number.
struct UserMetricSkipped {
  uint32_t instance = 0;
};
struct Span {
  std::string exporter;
  std::string trace_id, span_id, parent_id;  // hex
  std::string name, method, url;
  int status = 0;  // 0: no response
  WallTime begin{}, end{};
  std::chrono::nanoseconds latency{};
  std::vector<std::pair<std::string, std::string>> attributes;
};
struct ProcessorFailed {
  uint32_t instance = 0;
  std::string reason;  // stable word for the metric
  std::string text;    // for the log
};
// A script threw, or met one of its limits: a result (`failure`), and no processor failure.
struct ScriptFailed {
  uint32_t instance = 0;
  std::string text;
};
struct BodyViewSkipped {
  bool response = false;
  std::string reason;
};
// What a flow in shadow mode would have done.
struct Shadowed {
  uint32_t flow = 0;
  std::string decision;
};

}  // namespace emission

using Emission = std::variant<emission::AddToQuota, emission::ReleaseSlot, emission::LearnQuota, emission::WriteCache,
                              emission::CaptureHar, emission::Measure, emission::UserMetric,
                              emission::UserMetricSkipped, emission::Span, emission::ProcessorFailed,
                              emission::ScriptFailed, emission::BodyViewSkipped, emission::Shadowed>;

}  // namespace lunar
