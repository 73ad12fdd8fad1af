// Queue (flows.md §7.2): waits until the quota admits, in order of priority and arrival.
#include <cmath>

#include "flowengine/processors/types.h"
#include "flowengine/quantity.h"

namespace lunar {
namespace {

constexpr std::string_view outputs[] = {"allowed", "blocked"};
constexpr OutputAlias aliases[] = {
    {"allow", "allowed"}, {"below_limit", "allowed"}, {"block", "blocked"}, {"above_limit", "blocked"}};
constexpr int64_t unknown_priority = 999;
constexpr std::string_view no_group = "lunar_default";

struct QueueSettings {
  uint32_t node = 0;
  std::string flow, key;
  int64_t size = 0;
  std::chrono::nanoseconds ttl{};
  std::string group_header;
  std::string priority_header;
  std::map<std::string, int64_t, std::less<>> priorities;
};

class Queue final : public Processor {
 public:
  explicit Queue(QueueSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    effect::Enqueue place{.chain = {},
                          .flow = settings_.flow,
                          .key = settings_.key,
                          .size = settings_.size,
                          .ttl = settings_.ttl,
                          .instance = context.instance};
    if (!settings_.group_header.empty())
      place.group = context.request.group_value(settings_.group_header).value_or(no_group);
    if (!settings_.priority_header.empty()) {
      auto name = context.request.group_value(settings_.priority_header);
      auto known = name ? settings_.priorities.find(*name) : settings_.priorities.end();
      place.priority = known == settings_.priorities.end() ? unknown_priority : known->second;
      if (known != settings_.priorities.end()) place.priority_group = known->first;
    }
    return outcome::AskLine{settings_.node, std::move(place)};
  }

  [[nodiscard]] Outcome resume(Context& /*context*/, Reply& reply) const override {
    return outcome::Done{static_cast<int16_t>(std::get<reply::Admitted>(reply).admitted ? 0 : 1)};
  }

 private:
  QueueSettings settings_;
};

constexpr double longest_seconds = 1e9;
constexpr Parameter parameters[] = {
    {.name = "quota_id", .required = true, .help = "the quota that frees places"},
    {.name = "queue_size",
     .kind = ParameterKind::integer,
     .required = true,
     .fallback = "0",
     .low = 0,
     .help = "waiters per group on this instance; full: blocked at once"},
    {.name = "ttl_seconds",
     .kind = ParameterKind::number,
     .fallback = "10",
     .low = 1e-9,
     .high = longest_seconds,
     .help = "longest wait, then blocked"},
    {.name = "redis_queue_size",
     .kind = ParameterKind::integer,
     .fallback = "-1",
     .low = -1,
     .help = "waiters per group over all instances, -1 unlimited"},
    {.name = "group_by_header", .help = "a waiting line for each value of this request header"},
    {.name = "priority_group_by_header", .help = "the request header that names the priority group"},
    {.name = "priority_groups", .kind = ParameterKind::map, .help = "priority group -> number, lower is served first"},
};

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  auto node = quota_argument(arguments, surroundings);
  QueueSettings settings{.flow = surroundings.flow_name, .key = surroundings.processor_key};
  settings.size = arguments.integer("queue_size");
  double seconds = arguments.number("ttl_seconds");
  settings.ttl = std::chrono::nanoseconds(static_cast<int64_t>(std::llround(seconds * 1e9)));
  settings.group_header = arguments.text("group_by_header");
  settings.priority_header = arguments.text("priority_group_by_header");
  (void)arguments.integer("redis_queue_size");
  for (const Entry* entry : arguments.map("priority_groups"))
    if (auto priority = arguments.reader().integer(entry->value)) settings.priorities[entry->key] = *priority;

  auto ttl = std::chrono::duration_cast<std::chrono::milliseconds>(settings.ttl);
  if (surroundings.processing_timeout && settings.ttl >= *surroundings.processing_timeout) {
    arguments.reader().error(arguments.at("ttl_seconds"), "queue-ttl",
                             "a wait of " + duration_text(ttl) + " is not below flows.processing_timeout, which is " +
                                 duration_text(*surroundings.processing_timeout));
    return nullptr;
  }
  surroundings.longest_queue_wait = std::max(surroundings.longest_queue_wait, ttl);
  if (!node) return nullptr;
  settings.node = *node;
  return std::make_unique<Queue>(std::move(settings));
}

}  // namespace

const ProcessorType queue_type{
    .name = "Queue",
    .help = "keeps a request until its quota admits it",
    .directions = {.request = true},
    .outputs = outputs,
    .aliases = aliases,
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
