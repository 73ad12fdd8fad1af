// Filter (flows.md §7.4): a branch inside a flow, on the message as earlier processors left it.
#include <algorithm>
#include <functional>

#include "flowengine/expr/url_pattern.h"
#include "flowengine/plan/condition_reader.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr std::string_view outputs[] = {"hit", "miss"};

// One form of `url`, of which there are four.
struct UrlForm {
  bool everything = false;
  std::optional<PathPattern> path;
  std::optional<UrlPattern> pattern;
  std::optional<Regex> regex;
  bool www_dropped = false;  // the host with it is meant as well

  [[nodiscard]] bool matches(const Request& request) const {
    if (everything) return true;
    if (path) return path->matches(request.path);
    if (pattern) {
      std::string_view bare = request.host;
      if (www_dropped && bare.starts_with("www.")) bare.remove_prefix(4);
      return pattern->matches(bare, request.port, request.path);
    }
    std::string subject =
        request.host.contains(':') ? "[" + std::string(request.host) + "]" : std::string(request.host);
    return regex->search(subject.append(request.path));
  }
};

struct FilterSettings {
  std::vector<UrlForm> urls;
  std::vector<PathPattern> endpoints;
  std::vector<std::string> methods;
  std::vector<NamedCondition> headers, query_params, path_params, response_headers;
  std::vector<ExpressionEntry> body, request_expressions, response_expressions;
  std::vector<StatusRange> status;
  double sample = 0;
};

class FilterStep final : public Processor {
 public:
  explicit FilterStep(FilterSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    bool hit = sampled(context) && (context.phase == Phase::request ? request_hits(context) : response_hits(context));
    context.measure(hit ? emission::Meter::filter_hit : emission::Meter::filter_miss);
    return outcome::Done{static_cast<int16_t>(hit ? 0 : 1)};
  }

  [[nodiscard]] BodyUse body_use(Phase phase) const override {
    auto needs = [](const ExpressionEntry& entry) { return entry.expression.needs_body(); };
    if (phase == Phase::request) {
      return {.hold_request = std::ranges::any_of(settings_.request_expressions, needs) ||
                              std::ranges::any_of(settings_.body, needs)};
    }
    return {.hold_response = std::ranges::any_of(settings_.response_expressions, needs)};
  }

 private:
  [[nodiscard]] bool sampled(const Context& context) const {
    if (settings_.sample == 0) return true;
    const Instance& self = context.plan.instances[context.instance];
    return context.transaction.dice.kept_roll(self.flow + "." + self.key) * 100 < settings_.sample;
  }

  [[nodiscard]] bool request_hits(Context& context) const {
    const Request& request = context.request;
    auto matches_url = [&](const UrlForm& form) { return form.matches(request); };
    auto matches_path = [&](const PathPattern& pattern) { return pattern.matches(request.path); };
    if (!settings_.urls.empty() && std::ranges::none_of(settings_.urls, matches_url)) return false;
    if (!settings_.endpoints.empty() && std::ranges::none_of(settings_.endpoints, matches_path)) return false;
    if (!settings_.methods.empty() && std::ranges::find(settings_.methods, request.method) == settings_.methods.end())
      return false;
    if (!any_field(settings_.headers, request)) return false;
    if (!any_query_param(settings_.query_params, request.query)) return false;
    if (!any_path_param(settings_.path_params, path_params_of(context.view))) return false;
    return any_expression(settings_.body, context.view, BodyKnown::settled) == Match::yes &&
           any_expression(settings_.request_expressions, context.view, BodyKnown::settled) == Match::yes;
  }

  [[nodiscard]] bool response_hits(Context& context) const {
    const Response& response = *context.response;
    if (!any_status(settings_.status, response.status)) return false;
    if (!any_field(settings_.response_headers, response)) return false;
    return any_expression(settings_.response_expressions, context.view, BodyKnown::settled) == Match::yes;
  }

  FilterSettings settings_;
};

constexpr double whole = 100;
constexpr Parameter parameters[] = {
    {.name = "url", .kind = ParameterKind::texts, .help = "`*`, a host, a path, a pattern or a regular expression"},
    {.name = "urls", .kind = ParameterKind::texts, .help = "the same"},
    {.name = "endpoint", .kind = ParameterKind::texts, .help = "path patterns"},
    {.name = "endpoints", .kind = ParameterKind::texts, .help = "the same"},
    {.name = "method", .kind = ParameterKind::texts, .help = "methods, in any case"},
    {.name = "methods", .kind = ParameterKind::texts, .help = "the same"},
    {.name = "header", .kind = ParameterKind::texts, .help = "`name=value`, or with >=, <=, >, <"},
    {.name = "headers", .kind = ParameterKind::any, .help = "mapping name -> value, or operator entries"},
    {.name = "response_headers", .kind = ParameterKind::any, .help = "operator entries"},
    {.name = "query_params", .kind = ParameterKind::any, .help = "operator entries"},
    {.name = "path_params", .kind = ParameterKind::any, .help = "operator entries"},
    {.name = "body", .kind = ParameterKind::any, .help = "entries of `key` and `regex_match`"},
    {.name = "expressions", .kind = ParameterKind::any, .help = "expressions on $.request or $.response"},
    {.name = "status_code", .kind = ParameterKind::any, .help = "status codes and ranges"},
    {.name = "status_code_range", .kind = ParameterKind::any, .help = "the same"},
    {.name = "sample_percentage",
     .kind = ParameterKind::number,
     .fallback = "0",
     .low = 0,
     .high = whole,
     .help = "share of transactions that can hit"},
};

std::string_view without_scheme(std::string_view text) {
  for (std::string_view prefix : {"http://", "https://"})
    if (text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix))
      text.remove_prefix(prefix.size());
  return text;
}

std::string_view without_www(std::string_view text) {
  return text.size() > 4 && equal_ignoring_case(text.substr(0, 4), "www.") ? text.substr(4) : text;
}

// What is common to the forms that are lists of texts; the callback says whether the text was good.
template <class Add>
void each_text(Arguments& arguments, std::string_view name, Add add) {
  const Value* value = arguments.value(name);
  auto items = value == nullptr ? std::nullopt : arguments.reader().list(*value, Reader::Coercion::silent);
  if (!items) return;
  for (const Value* item : *items)
    if (auto text = arguments.reader().string(*item)) add(*item, *text);
}

std::optional<PathPattern> read_path(const Value& at, std::string_view text, Reader& reader) {
  auto pattern = PathPattern::parse(text);
  if (pattern) return *std::move(pattern);
  reader.error(at.at, pattern.error().id,
               pattern.error().text + " (offset " + std::to_string(pattern.error().offset) + ")");
  return std::nullopt;
}

std::optional<UrlForm> read_url_form(const Value& at, std::string_view given, Reader& reader) {
  UrlForm out;
  std::string_view text = without_scheme(given);
  std::string_view bare = without_www(text);
  out.www_dropped = bare.size() != text.size();
  text = bare;
  if (text == "*") {
    out.everything = true;
  } else if (text.find_first_of("^$()[]\\|+?") != std::string_view::npos) {
    auto regex = Regex::compile(text);
    if (!regex) {
      reader.error(at.at, "bad-regex", "\"" + std::string(text) + "\": " + regex.error().text);
      return std::nullopt;
    }
    out.regex = *std::move(regex);
  } else if (text.starts_with('/')) {
    out.path = read_path(at, text, reader);
    if (!out.path) return std::nullopt;
  } else {
    auto pattern = UrlPattern::parse(text);
    if (!pattern) {
      reader.error(at.at, pattern.error().id,
                   pattern.error().text + " (offset " + std::to_string(pattern.error().offset) + ")");
      return std::nullopt;
    }
    out.pattern = *std::move(pattern);
  }
  return out;
}

// `name=value`, `name>=n`, `name<=n`, `name>n`, `name<n`.
std::optional<NamedCondition> read_header_form(const Value& at, std::string_view text, Reader& reader) {
  size_t sign = text.find_first_of("=<>");
  if (sign == std::string_view::npos || sign == 0) {
    reader.error(at.at, "bad-type", describe(at) + " is not name=value, nor name with >=, <=, > or < and a number");
    return std::nullopt;
  }
  bool or_equal = text[sign] != '=' && text.substr(sign + 1).starts_with('=');
  Operation operation = text[sign] == '='   ? Operation::eq
                        : text[sign] == '<' ? (or_equal ? Operation::lte : Operation::lt)
                                            : (or_equal ? Operation::gte : Operation::gt);
  std::string value(text.substr(sign + (or_equal ? 2 : 1)));
  auto condition = make_condition(operation, value, at.at, reader);
  if (!condition) return std::nullopt;
  return NamedCondition{std::string(text.substr(0, sign)), *std::move(condition)};
}

void read_headers(Arguments& arguments, FilterSettings& out) {
  Reader& reader = arguments.reader();
  each_text(arguments, "header", [&](const Value& at, std::string_view text) {
    if (auto one = read_header_form(at, text, reader)) out.headers.push_back(*std::move(one));
  });
  const Value* headers = arguments.value("headers");
  if (headers == nullptr) return;
  bool is_map = headers->kind == Value::Kind::map && headers->get("key") == nullptr;
  if (!is_map) {
    std::ranges::move(read_named_conditions(*headers, reader), std::back_inserter(out.headers));
    return;
  }
  for (const Entry& entry : headers->entries) {
    auto text = reader.string(entry.value, Reader::Coercion::silent);
    auto condition = text ? make_condition(Operation::eq, *text, entry.value.at, reader) : std::nullopt;
    if (condition) out.headers.push_back({entry.key, *std::move(condition)});
  }
}

void read_targets(Arguments& arguments, FilterSettings& out) {
  Reader& reader = arguments.reader();
  for (std::string_view name : {"url", "urls"}) {
    each_text(arguments, name, [&](const Value& at, std::string_view text) {
      if (auto form = read_url_form(at, text, reader)) out.urls.push_back(*std::move(form));
    });
  }
  for (std::string_view name : {"endpoint", "endpoints"}) {
    each_text(arguments, name, [&](const Value& at, std::string_view text) {
      if (auto pattern = read_path(at, text, reader)) out.endpoints.push_back(*std::move(pattern));
    });
  }
}

void read_methods(Arguments& arguments, FilterSettings& out) {
  for (std::string_view name : {"method", "methods"}) {
    each_text(arguments, name,
              [&](const Value& /*at*/, std::string_view text) { out.methods.push_back(upper_case(text)); });
  }
}

void read_request_kinds(Arguments& arguments, FilterSettings& out) {
  Reader& reader = arguments.reader();
  read_targets(arguments, out);
  read_methods(arguments, out);
  read_headers(arguments, out);
  if (const Value* value = arguments.value("query_params")) out.query_params = read_named_conditions(*value, reader);
  if (const Value* value = arguments.value("path_params")) out.path_params = read_named_conditions(*value, reader);
  if (const Value* value = arguments.value("body")) out.body = read_body_entries(*value, reader);
}

void read_response_kinds(Arguments& arguments, FilterSettings& out) {
  Reader& reader = arguments.reader();
  if (const Value* value = arguments.value("response_headers"))
    out.response_headers = read_named_conditions(*value, reader);
  for (std::string_view name : {"status_code", "status_code_range"}) {
    if (const Value* value = arguments.value(name))
      std::ranges::copy(read_status_codes(*value, reader), std::back_inserter(out.status));
  }
}

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  if (arguments.given().empty()) {
    arguments.reader().error(arguments.at("url"), "no-filter-criteria",
                             "processor `" + surroundings.processor_key + "` filters by nothing; give it a parameter");
    return nullptr;
  }
  FilterSettings settings;
  read_request_kinds(arguments, settings);
  read_response_kinds(arguments, settings);
  if (const Value* value = arguments.value("expressions")) {
    for (ExpressionEntry& entry : read_expressions(*value, arguments.reader())) {
      bool request = entry.expression.root() == Root::request;
      (request ? settings.request_expressions : settings.response_expressions).push_back(std::move(entry));
    }
  }
  settings.sample = arguments.number("sample_percentage");
  return std::make_unique<FilterStep>(std::move(settings));
}

}  // namespace

const ProcessorType filter_type{
    .name = "Filter",
    .help = "branches on the message",
    .directions = {.request = true, .response = true},
    .outputs = outputs,
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
