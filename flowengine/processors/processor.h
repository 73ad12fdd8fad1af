// What a processor is. To add one: a file with its class and its table of parameters, and a line in builtin.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "flowengine/processors/parameter.h"
#include "flowengine/run/context.h"

namespace lunar {

// One declared processor, compiled: immutable, used by all threads at once. Everything that changes is in the context.
class Processor {
 public:
  Processor() = default;
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;
  virtual ~Processor() = default;

  // Called when the walk reaches it. Must not be called again before a question it asked has been answered.
  [[nodiscard]] virtual Outcome run(Context& context) const = 0;
  // The answer to what run() asked.
  [[nodiscard]] virtual Outcome resume(Context& context, Reply& reply) const;
  // When the flow that uses it begins its request side: for what must be taken from the unchanged request.
  virtual void flow_begins(Context& /*context*/) const {}
  // At the end of a response for which it called Context::observe_end(). `complete`: not cut off. The response's body
  // is there if it could be copied.
  virtual void observed(Context& /*context*/, bool /*complete*/) const {}
  // Not empty: what is set here does nothing in this direction, for a warning.
  [[nodiscard]] virtual std::string_view idle_part(Phase /*phase*/) const { return {}; }
  [[nodiscard]] virtual BodyUse body_use(Phase /*phase*/) const { return {}; }
  // Of one that reads or writes the cache: the flow and what its keys are made of. Entries outlive a reload as long as
  // some processor has theirs (flows.md §1.5). Empty: it has nothing to do with the cache.
  [[nodiscard]] virtual std::string cache_scheme() const { return {}; }
};

// What the compiler knows while it makes processors.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  [[nodiscard]] virtual std::optional<uint32_t> quota_node(std::string_view id) = 0;
  // Counts as a reference: the node no longer counts by itself (flows.md §8.7).
  virtual void refer_to_quota(uint32_t node) = 0;
  [[nodiscard]] virtual bool quota_file_skipped(std::string_view id) const = 0;
  [[nodiscard]] virtual bool has_environment(std::string_view name) const = 0;
  [[nodiscard]] virtual std::string environment(std::string_view name) const = 0;

  bool request_body_needed = false;  // by a counter of a quota that the flow refers to; grows
  std::string flow_name;
  std::string processor_key;
  std::optional<std::chrono::milliseconds> processing_timeout;  // explicitly set
  std::chrono::milliseconds retry_timeout{100'000};
  std::string file_exporter = "file";
  std::vector<std::string> unsupported_exporters;
  std::vector<std::string> plugins;  // names of user_processors/
  std::optional<std::string> trace_exporter;
  std::chrono::milliseconds longest_queue_wait{0};  // grows
  std::map<std::string, std::string> metric_types;  // of user-defined metrics, by name
};

struct Directions {
  bool request = false;
  bool response = false;
};

struct OutputAlias {
  std::string_view name;
  std::string_view means;
};

struct ProcessorType {
  std::string_view name;
  std::string_view help;
  Directions directions;
  std::span<const std::string_view> outputs;  // empty: one, unnamed
  std::span<const OutputAlias> aliases;
  bool answers = false;             // may make an early response
  bool silent_in_response = false;  // a step in the response direction does nothing, and that is no mistake
  std::span<const Parameter> parameters;
  bool (*accepts_key)(std::string_view key) = nullptr;  // parameters beside the table
  // Null when a finding of severity error was added.
  std::unique_ptr<const Processor> (*create)(Arguments& arguments, Surroundings& surroundings) = nullptr;
  std::string_view unavailable;  // not empty: refused at load with this text
};

[[nodiscard]] std::span<const ProcessorType* const> builtin_processors();
[[nodiscard]] const ProcessorType* find_processor(std::string_view name);

}  // namespace lunar
