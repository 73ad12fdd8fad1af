#include "flowengine/explain/filter_text.h"

#include <array>
#include <charconv>

namespace lunar {
namespace {

std::string status_text(const std::vector<StatusRange>& ranges) {
  std::vector<std::string> out;
  for (const auto& [low, high] : ranges)
    out.push_back(low == high ? std::to_string(low) : std::to_string(low) + "-" + std::to_string(high));
  return joined(out, ", ");
}

}  // namespace

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string out;
  for (const std::string& text : texts) out.append(out.empty() ? std::string_view{} : separator).append(text);
  return out;
}

std::string number_text(double value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string condition_text(std::string_view name, const Condition& condition) {
  std::string out(name);
  out.append(" ").append(all_operation_names()[static_cast<size_t>(condition.operation())]);
  const bool valued = condition.operation() != Operation::exists && condition.operation() != Operation::not_exists;
  return valued ? out + " \"" + condition.value() + "\"" : out;
}

std::string expression_text(const ExpressionEntry& entry) {
  return entry.condition ? condition_text(entry.expression.text(), *entry.condition) : entry.expression.text();
}

std::string joined_names(const std::vector<NamedCondition>& entries, std::string_view separator) {
  std::vector<std::string> out;
  for (const NamedCondition& entry : entries) out.push_back(condition_text(entry.name, entry.condition));
  return joined(out, separator);
}

std::string joined_expressions(const std::vector<ExpressionEntry>& entries) {
  std::vector<std::string> out;
  for (const ExpressionEntry& entry : entries) out.push_back(expression_text(entry));
  return joined(out, " or ");
}

std::vector<std::string> request_conditions(const Filter& filter, std::string_view flow,
                                            const Declarations& declarations) {
  std::vector<std::string> out;
  const auto add = [&out](const char* key, const std::string& text) {
    if (!text.empty()) out.push_back(std::string(key) + ": " + text);
  };
  add("methods", joined(filter.methods, ", "));
  add("headers", joined_names(filter.headers, " and "));
  add("query_params", joined_names(filter.query_params, " or "));
  add("path_params", joined_names(filter.path_params, " or "));
  if (!filter.processes.empty()) add("processes", joined(declarations.filter_texts(flow, "processes"), ", "));
  if (!filter.units.empty()) add("units", joined(declarations.filter_texts(flow, "units"), ", "));
  add("expressions", joined_expressions(filter.request_expressions));
  add("body", joined_expressions(filter.body));
  if (filter.sample_percentage != 0) add("sample_percentage", number_text(filter.sample_percentage));
  return out;
}

std::vector<std::string> response_conditions(const Filter& filter) {
  std::vector<std::string> out;
  const auto add = [&out](const char* key, const std::string& text) {
    if (!text.empty()) out.push_back(std::string(key) + ": " + text);
  };
  add("status_code", status_text(filter.status));
  add("response_headers", joined_names(filter.response_headers, " or "));
  add("expressions", joined_expressions(filter.response_expressions));
  return out;
}

}  // namespace lunar
