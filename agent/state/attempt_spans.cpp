#include "agent/state/attempt_spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace lunar {
namespace {

std::chrono::nanoseconds nanoseconds(double milliseconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(milliseconds * 1e6));
}

// `a\nb\n` as `a, b`.
std::string listed(std::string_view names) {
  std::string out(names.substr(0, names.find_last_not_of('\n') + 1));
  for (size_t at = out.find('\n'); at != std::string::npos; at = out.find('\n', at)) out.replace(at, 1, ", ");
  return out;
}

}  // namespace

emission::Span AttemptSpans::of(const CallView& call) {
  emission::Span span;
  // All zeros would be no id.
  span.trace_id = fmt::format("{:016x}{:016x}", dice_.next() | 1, dice_.next());
  span.span_id = fmt::format("{:016x}", dice_.next() | 1);
  const std::string url = call.full_url();
  span.method = call.method;
  span.url = (call.tls ? "https://" : "http://") + url;
  span.name = (call.method.empty() ? "HTTP" : span.method) + " " + url;
  span.status = call.status;
  span.latency = nanoseconds(call.total_ms);
  span.begin = call.started;
  span.end = span.begin + std::chrono::duration_cast<std::chrono::milliseconds>(span.latency);
  auto note = [&span](std::string_view name, std::string text) {
    if (!text.empty()) span.attributes.emplace_back(name, std::move(text));
  };
  note("lunar.flows", listed(call.flows));
  note("lunar.request_id", std::string(call.request_id));
  note("lunar.attempt", std::to_string(call.attempt));
  note("lunar.consumer_tag", std::string(call.consumer_tag));
  note("lunar.unit", std::string(call.unit));
  note("lunar.container", std::string(call.container));
  note("lunar.provider_latency", call.provider_ms ? fmt::format("{}", *call.provider_ms) : "");
  return span;
}

}  // namespace lunar
