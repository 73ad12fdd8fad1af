// What the gateway itself tells of the attempts that ended, whatever flows say: one span each (gateway.md §5,
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT). Queries, field values and bodies are not in it.
#pragma once

#include <cstdint>

#include "agent/state/call_facts.h"
#include "flowengine/run/context.h"

namespace lunar {

class AttemptSpans {
 public:
  explicit AttemptSpans(uint64_t seed) : dice_(seed) {}

  // A trace of its own, since the record of an attempt does not know the parent that its request named.
  [[nodiscard]] emission::Span of(const CallView& call);

 private:
  Dice dice_;
};

}  // namespace lunar
