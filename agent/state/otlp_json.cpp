#include "agent/state/otlp_json.h"

#include <chrono>

#include "flowengine/expr/json.h"

namespace lunar {
namespace {

constexpr int kind_client = 3;
constexpr int status_error = 2;
constexpr int first_error = 400;

Json text_attribute(std::string_view name, std::string_view value) {
  return {{"key", name}, {"value", {{"stringValue", valid_utf8(value)}}}};
}

// 64-bit numbers are strings in the JSON form of protobuf.
std::string nanoseconds(WallTime time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

Json attributes_of(const emission::Span& span) {
  Json out = Json::array();
  out.push_back(text_attribute("http.method", span.method));
  out.push_back(text_attribute("http.url", span.url));
  if (span.status != 0)
    out.push_back({{"key", "http.status_code"}, {"value", {{"intValue", std::to_string(span.status)}}}});
  const double latency = std::chrono::duration<double, std::milli>(span.latency).count();
  out.push_back({{"key", "latency"}, {"value", {{"doubleValue", latency}}}});
  for (const auto& [name, value] : span.attributes) out.push_back(text_attribute(valid_utf8(name), value));
  return out;
}

Json written(const emission::Span& span) {
  Json out{{"traceId", span.trace_id}, {"spanId", span.span_id}};
  if (!span.parent_id.empty()) out["parentSpanId"] = span.parent_id;
  out["name"] = valid_utf8(span.name);
  out["kind"] = kind_client;
  out["startTimeUnixNano"] = nanoseconds(span.begin);
  out["endTimeUnixNano"] = nanoseconds(span.end);
  out["attributes"] = attributes_of(span);
  out["status"] = span.status >= first_error ? Json{{"code", status_error}} : Json::object();
  return out;
}

}  // namespace

std::string otlp_json(std::span<const emission::Span> spans, const OtlpResource& resource) {
  Json list = Json::array();
  for (const emission::Span& span : spans) list.push_back(written(span));
  Json scope_spans{{"scope", {{"name", "lunar"}, {"version", resource.version}}}, {"spans", std::move(list)}};
  Json resource_attributes = Json::array();
  resource_attributes.push_back(text_attribute("service.name", "lunar-gateway"));
  resource_attributes.push_back(text_attribute("service.instance.id", resource.instance_id));
  resource_attributes.push_back(text_attribute("service.version", resource.version));
  Json resource_spans{{"resource", {{"attributes", std::move(resource_attributes)}}}};
  resource_spans["scopeSpans"] = Json::array({std::move(scope_spans)});
  Json out;
  out["resourceSpans"] = Json::array({std::move(resource_spans)});
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lunar
