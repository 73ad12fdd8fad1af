// Spans as the body of an OTLP/HTTP request in JSON (opentelemetry-proto, ExportTraceServiceRequest). Pure.
#pragma once

#include <span>
#include <string>

#include "flowengine/run/effect.h"

namespace lunar {

struct OtlpResource {
  std::string instance_id, version;
};

[[nodiscard]] std::string otlp_json(std::span<const emission::Span> spans, const OtlpResource& resource);

}  // namespace lunar
