#include "flowengine/plan/filter.h"

#include <algorithm>

#include "flowengine/expr/query_string.h"

namespace lunar {
namespace {

bool any_process(const std::vector<Glob>& globs, const Caller* caller) {
  if (globs.empty()) return true;
  if (caller == nullptr) return false;
  return std::ranges::any_of(globs, [caller](const Glob& glob) {
    const std::string& subject = glob.names_path() ? caller->exe : caller->comm;
    return !subject.empty() && glob.matches(subject);
  });
}

bool any_unit(const std::vector<Glob>& globs, const Caller* caller) {
  if (globs.empty()) return true;
  if (caller == nullptr) return false;
  return std::ranges::any_of(globs, [caller](const Glob& glob) {
    return (!caller->unit.empty() && glob.matches(caller->unit)) ||
           (!caller->container.empty() && glob.matches(caller->container));
  });
}

bool field_holds(const NamedCondition& entry, const Message& message) {
  std::vector<std::string_view> values;
  for (const HeaderField& field : message.fields)
    if (equal_ignoring_case(field.name, entry.name)) values.push_back(field.value);
  return entry.condition.holds(values);
}

Match both(Match left, Match right) {
  if (left == Match::no || right == Match::no) return Match::no;
  return left == Match::needs_body ? left : right;
}

}  // namespace

const PathParams& path_params_of(const View& view) {
  static const PathParams none;
  return view.path_params() == nullptr ? none : *view.path_params();
}

bool ExpressionEntry::holds(View& view) const {
  if (!condition) return expression.holds(view);
  auto text = expression.first_text(view);
  return condition->holds(text ? std::optional<std::string_view>(*text) : std::nullopt);
}

Match any_expression(const std::vector<ExpressionEntry>& entries, View& view, BodyKnown body) {
  if (entries.empty()) return Match::yes;
  bool undecided = false;
  for (const ExpressionEntry& entry : entries) {
    if (body == BodyKnown::pending && entry.expression.needs_body()) {
      undecided = true;
    } else if (entry.holds(view)) {
      return Match::yes;
    }
  }
  return undecided ? Match::needs_body : Match::no;
}

bool all_fields(const std::vector<NamedCondition>& entries, const Message& message) {
  return std::ranges::all_of(entries, [&](const NamedCondition& entry) { return field_holds(entry, message); });
}

bool any_field(const std::vector<NamedCondition>& entries, const Message& message) {
  if (entries.empty()) return true;
  return std::ranges::any_of(entries, [&](const NamedCondition& entry) { return field_holds(entry, message); });
}

bool any_query_param(const std::vector<NamedCondition>& entries, std::string_view query) {
  if (entries.empty()) return true;
  const auto params = parse_query_string(query);
  std::vector<std::string_view> values;
  return std::ranges::any_of(entries, [&](const NamedCondition& entry) {
    values.clear();
    for (const auto& [name, value] : params)
      if (name == entry.name) values.push_back(value);
    return entry.condition.holds(values);
  });
}

bool any_path_param(const std::vector<NamedCondition>& entries, const PathParams& params) {
  if (entries.empty()) return true;
  return std::ranges::any_of(entries, [&](const NamedCondition& entry) {
    auto found = std::ranges::find(params, entry.name, [](const auto& param) { return param.first; });
    return entry.condition.holds(found == params.end() ? std::nullopt : std::optional<std::string_view>(found->second));
  });
}

bool any_status(const std::vector<StatusRange>& ranges, int status) {
  if (ranges.empty()) return true;
  return std::ranges::any_of(
      ranges, [status](const StatusRange& range) { return status >= range.low && status <= range.high; });
}

Match Filter::request(View& view, const Request& message, const PathParams& params, BodyKnown known) const {
  if (!methods.empty() && std::ranges::find(methods, message.method) == methods.end()) return Match::no;
  if (!all_fields(headers, message) || !any_query_param(query_params, message.query)) return Match::no;
  if (!any_path_param(path_params, params)) return Match::no;
  if (!any_process(processes, message.caller) || !any_unit(units, message.caller)) return Match::no;
  if (body.empty() && request_expressions.empty()) return Match::yes;
  view.set_path_params(&params);
  return both(any_expression(request_expressions, view, known), any_expression(body, view, known));
}

Match Filter::response(View& view, const Response& message, BodyKnown known) const {
  if (!any_status(status, message.status) || !any_field(response_headers, message)) return Match::no;
  return any_expression(response_expressions, view, known);
}

}  // namespace lunar
