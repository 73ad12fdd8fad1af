// UserDefinedTraces (flows.md §7.12): one client span a transaction, its parent taken from W3C or B3 fields.
#include <algorithm>
#include <array>

#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr size_t trace_digits = 32;
constexpr size_t span_digits = 16;
// Of a span that no response side closes.
constexpr std::chrono::nanoseconds longest_open = std::chrono::seconds(30);

bool is_id(std::string_view text, size_t digits) {
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == digits && std::ranges::all_of(text, is_hex) && text.find_first_not_of('0') != text.npos;
}

std::string hex(uint64_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out(span_digits, '0');
  for (size_t i = 0; i < span_digits; ++i) out[span_digits - 1 - i] = digits[(value >> (4 * i)) & 15];
  return out;
}

struct Parent {
  std::string trace, span;
  bool sampled = true;
};

// W3C Trace Context: version-traceid-parentid-flags.
std::optional<Parent> w3c_parent(const Request& request) {
  const HeaderField* field = request.find("traceparent");
  if (field == nullptr || field->value.size() < 55) return std::nullopt;
  std::string_view text = field->value;
  std::string_view trace = text.substr(3, trace_digits);
  std::string_view span = text.substr(36, span_digits);
  if (!is_id(trace, trace_digits) || !is_id(span, span_digits) || text.starts_with("ff")) return std::nullopt;
  return Parent{std::string(trace), std::string(span), (text[54] & 1) != 0};
}

std::string padded(std::string_view trace) {
  return std::string(trace_digits - std::min(trace.size(), trace_digits), '0') + std::string(trace);
}

// `b3: traceid-spanid…`, or the fields X-B3-TraceId and X-B3-SpanId.
std::optional<Parent> b3_parent(const Request& request) {
  std::string trace, span;
  if (const HeaderField* single = request.find("b3")) {
    size_t dash = single->value.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    trace = padded(single->value.substr(0, dash));
    span = single->value.substr(dash + 1, span_digits);
  } else {
    const HeaderField* trace_field = request.find("x-b3-traceid");
    const HeaderField* span_field = request.find("x-b3-spanid");
    if (trace_field == nullptr || span_field == nullptr) return std::nullopt;
    trace = padded(trace_field->value);
    span = span_field->value;
  }
  if (!is_id(trace, trace_digits) || !is_id(span, span_digits)) return std::nullopt;
  return Parent{trace, span, true};
}

struct TraceSettings {
  std::string exporter;
  std::vector<std::pair<std::string, Expression>> attributes;
};

class Traces final : public Processor {
 public:
  explicit Traces(TraceSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    OpenSpan& open = span_of(context);
    if (context.phase == Phase::response) {
      open.answered = true;
      context.observe_end();
    }
    return outcome::Done{};
  }

  void observed(Context& context, bool /*complete*/) const override { finish(context, span_of(context)); }

  [[nodiscard]] BodyUse body_use(Phase phase) const override {
    bool response = std::ranges::any_of(settings_.attributes, [](const auto& one) {
      return one.second.root() == Root::response && (one.second.needs_body() || one.second.needs_usage());
    });
    bool request = std::ranges::any_of(settings_.attributes, [](const auto& one) {
      return one.second.root() == Root::request && one.second.needs_body();
    });
    return {.hold_request = request, .copy_response = phase == Phase::response && response};
  }

 private:
  OpenSpan& span_of(Context& context) const {
    auto same = [&](const OpenSpan& open) { return open.instance == context.instance; };
    auto found = std::ranges::find_if(context.notes.spans, same);
    if (found != context.notes.spans.end()) return *found;
    OpenSpan& open = context.notes.spans.emplace_back();
    open.instance = context.instance;
    open.begun = context.now.steady;
    begin(context, open.span);
    return open;
  }

  void begin(Context& context, emission::Span& span) const {
    Request& request = context.request;
    auto parent = w3c_parent(request);
    if (!parent) parent = b3_parent(request);
    Dice& dice = context.transaction.dice;
    span.exporter = settings_.exporter;
    span.trace_id = parent ? parent->trace : hex(dice.next() | 1) + hex(dice.next());
    span.parent_id = parent ? parent->span : "";
    span.span_id = hex(dice.next() | 1);
    span.method = request.method;
    span.url = std::string(scheme_name(request.scheme)) + "://" + request.url();
    span.name = span.method + " " + request.url();
    span.begin = context.now.wall;
    if (context.phase == Phase::response) return;
    request.set_field("traceparent",
                      "00-" + span.trace_id + "-" + span.span_id + (!parent || parent->sampled ? "-01" : "-00"));
    context.view.request_changed();
  }

  void finish(Context& context, OpenSpan& open) const {
    emission::Span& span = open.span;
    span.status = context.response == nullptr ? 0 : context.response->status;
    span.latency = context.now.steady - open.begun;
    if (!open.answered) span.latency = std::min(span.latency, longest_open);
    span.end = span.begin + std::chrono::duration_cast<std::chrono::milliseconds>(span.latency);
    for (const auto& [name, path] : settings_.attributes)
      if (auto text = path.first_text(context.view)) span.attributes.emplace_back(name, *std::move(text));
    context.emissions.emplace_back(std::move(span));
    std::erase_if(context.notes.spans, [&](const OpenSpan& one) { return &one == &open; });
  }

  TraceSettings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "trace_exporter_id", .required = true, .help = "that of trace_exporter in gateway_config.yaml"},
    {.name = "custom_trace_attributes", .kind = ParameterKind::map, .help = "attribute -> JSONPath"},
};

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  if (!arguments.has("trace_exporter_id")) return nullptr;
  TraceSettings settings{.exporter = arguments.text("trace_exporter_id")};
  bool good = surroundings.trace_exporter == settings.exporter;
  if (!good) {
    arguments.reader().error(arguments.at("trace_exporter_id"), "exporter-unknown",
                             "gateway_config.yaml has no trace_exporter \"" + settings.exporter + "\"");
  }
  for (const Entry* entry : arguments.map("custom_trace_attributes")) {
    auto text = arguments.reader().string(entry->value);
    auto path = text ? expression_argument(entry->value, *text, arguments.reader()) : std::nullopt;
    good = good && path;
    if (path) settings.attributes.emplace_back(entry->key, *std::move(path));
  }
  return good ? std::make_unique<Traces>(std::move(settings)) : nullptr;
}

}  // namespace

const ProcessorType user_traces_type{
    .name = "UserDefinedTraces",
    .help = "makes a client span of the call",
    .directions = {.request = true, .response = true},
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
