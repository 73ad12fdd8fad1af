#include "flowengine/plan/condition_reader.h"

#include <algorithm>
#include <charconv>

namespace lunar {
namespace {

constexpr std::string_view entry_keys[] = {"key", "value", "operation"};

const Value* required_key(const Value& entry, Reader& reader) {
  const Value* key = entry.get("key");
  if (key == nullptr) reader.error(entry.at, "param-entry", "`key` is required here");
  return key;
}

std::optional<Operation> read_operation(const Value& entry, Reader& reader) {
  const Value* value = entry.get("operation");
  if (value == nullptr) return Operation::eq;
  auto name = reader.string(*value);
  auto operation = name ? operation_from_name(*name) : std::nullopt;
  if (name && !operation) {
    std::string listed;
    for (std::string_view known : all_operation_names()) listed += (listed.empty() ? "" : ", ") + std::string(known);
    reader.error(value->at, "bad-operation", describe(*value) + " is not one of " + listed);
  }
  return operation;
}

std::optional<Condition> read_condition(const Value& entry, Reader& reader) {
  auto operation = read_operation(entry, reader);
  if (!operation) return std::nullopt;
  const Value* value = entry.get("value");
  bool presence = *operation == Operation::exists || *operation == Operation::not_exists;
  if (presence) return make_condition(*operation, "", entry.at, reader);
  if (value == nullptr) {
    reader.error(entry.at, "param-entry", "`value` is required here");
    return std::nullopt;
  }
  auto text = reader.string(*value, Reader::Coercion::silent);
  if (!text) return std::nullopt;
  return make_condition(*operation, *text, value->at, reader);
}

// Mappings of a list, or the one mapping that stands in its place.
template <class Read>
void each_entry(const Value& value, Reader& reader, Read read) {
  if (value.kind == Value::Kind::map) return read(value);
  auto items = reader.list(value, Reader::Coercion::silent);
  if (!items) return;
  for (const Value* item : *items) read(*item);
}

std::optional<Expression> parse_expression(const std::string& text, Position at, Reader& reader) {
  auto parsed = Expression::parse(text);
  if (parsed) return *std::move(parsed);
  const auto& fault = parsed.error();
  reader.error(at, fault.id, "\"" + text + "\": " + fault.text + " (offset " + std::to_string(fault.offset) + ")");
  return std::nullopt;
}

std::optional<int> status_number(std::string_view text) {
  int out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

void read_status(const Value& value, std::vector<StatusRange>& out, Reader& reader) {
  if (value.kind != Value::Kind::scalar)
    return reader.error(value.at, "bad-type", "expected a status code or a range, found " + describe(value));
  size_t dash = value.text.find('-');
  auto low = status_number(value.text.substr(0, dash));
  auto high = dash == std::string::npos ? low : status_number(value.text.substr(dash + 1));
  if (!low || !high)
    return reader.error(value.at, "bad-type", "expected a status code or a range, found " + describe(value));
  if (*low < 100 || *high > 599 || *low > *high)
    return reader.error(value.at, "out-of-range", describe(value) + " is not within 100-599, ascending");
  out.push_back({*low, *high});
}

}  // namespace

std::optional<Condition> make_condition(Operation operation, const std::string& text, Position at, Reader& reader) {
  auto condition = Condition::make(operation, text);
  if (condition) return *std::move(condition);
  reader.error(at, "bad-regex", "\"" + text + "\": " + condition.error().text);
  return std::nullopt;
}

std::vector<NamedCondition> read_named_conditions(const Value& value, Reader& reader) {
  std::vector<NamedCondition> out;
  each_entry(value, reader, [&](const Value& entry) {
    if (!reader.map(entry)) return;
    reader.warn_unknown_keys(entry, entry_keys);
    const Value* key = required_key(entry, reader);
    auto name = key == nullptr ? std::nullopt : reader.string(*key);
    auto condition = name ? read_condition(entry, reader) : std::nullopt;
    if (condition) out.push_back({*std::move(name), *std::move(condition)});
  });
  return out;
}

std::vector<ExpressionEntry> read_expressions(const Value& value, Reader& reader) {
  std::vector<ExpressionEntry> out;
  each_entry(value, reader, [&](const Value& entry) {
    if (entry.kind == Value::Kind::scalar) {
      if (auto expression = parse_expression(entry.text, entry.at, reader))
        out.push_back({*std::move(expression), std::nullopt});
      return;
    }
    if (!reader.map(entry)) return;
    reader.warn_unknown_keys(entry, entry_keys);
    const Value* key = required_key(entry, reader);
    auto text = key == nullptr ? std::nullopt : reader.string(*key);
    if (!text) return;
    auto expression = parse_expression(*text, key->at, reader);
    auto condition = read_condition(entry, reader);
    if (expression && condition) out.push_back({*std::move(expression), std::move(condition)});
  });
  return out;
}

std::vector<ExpressionEntry> read_body_entries(const Value& value, Reader& reader) {
  constexpr std::string_view keys[] = {"key", "regex_match"};
  std::vector<ExpressionEntry> out;
  each_entry(value, reader, [&](const Value& entry) {
    if (!reader.map(entry)) return;
    reader.warn_unknown_keys(entry, keys);
    const Value* key = required_key(entry, reader);
    const Value* pattern = entry.get("regex_match");
    if (key != nullptr && pattern == nullptr) reader.error(entry.at, "param-entry", "`regex_match` is required here");
    if (key == nullptr || pattern == nullptr) return;
    auto name = reader.string(*key);
    auto regex = reader.string(*pattern, Reader::Coercion::silent);
    if (!name || !regex) return;
    auto expression = parse_expression(name->starts_with('$') ? *name : "$.request.body." + *name, key->at, reader);
    auto condition = make_condition(Operation::regex, *regex, pattern->at, reader);
    if (expression && condition) out.push_back({*std::move(expression), std::move(condition)});
  });
  return out;
}

std::vector<StatusRange> read_status_codes(const Value& value, Reader& reader) {
  std::vector<StatusRange> out;
  auto items = reader.list(value, Reader::Coercion::silent);
  if (!items) return out;
  for (const Value* item : *items) read_status(*item, out, reader);
  return out;
}

}  // namespace lunar
