#include "flowengine/processors/parameter.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "flowengine/spelling.h"

namespace lunar {
namespace {

double parsed(std::string_view text) {
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

int64_t bound(double value) {
  if (value <= static_cast<double>(std::numeric_limits<int64_t>::min())) return std::numeric_limits<int64_t>::min();
  if (value >= static_cast<double>(std::numeric_limits<int64_t>::max())) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(value);
}

}  // namespace

Arguments::Arguments(std::span<const Parameter> table, std::vector<Given> given, Position declared_at, Reader& reader)
    : table_(table), given_(std::move(given)), declared_at_(declared_at), reader_(reader) {}

const Value* Arguments::value(std::string_view name) const {
  auto found = std::ranges::find(given_, name, &Given::key);
  if (found == given_.end() || found->value->kind == Value::Kind::null) return nullptr;
  return found->value;
}

Position Arguments::at(std::string_view name) const {
  const Value* found = value(name);
  return found == nullptr ? declared_at_ : found->at;
}

const Parameter& Arguments::parameter(std::string_view name) const {
  return *std::ranges::find(table_, name, &Parameter::name);
}

int64_t Arguments::integer(std::string_view name) {
  const Parameter& known = parameter(name);
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.integer(*found, {bound(known.low), bound(known.high)});
  return out.value_or(static_cast<int64_t>(parsed(known.fallback)));
}

double Arguments::number(std::string_view name) {
  const Parameter& known = parameter(name);
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.number(*found, {known.low, known.high});
  return out.value_or(parsed(known.fallback));
}

bool Arguments::flag(std::string_view name) {
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.boolean(*found);
  return out.value_or(parameter(name).fallback == "true");
}

std::string Arguments::text(std::string_view name) {
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.string(*found);
  return out.value_or(std::string(parameter(name).fallback));
}

std::vector<std::string> Arguments::texts(std::string_view name) {
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.strings(*found);
  return out.value_or(std::vector<std::string>{});
}

std::vector<double> Arguments::numbers(std::string_view name) {
  const Value* found = value(name);
  auto items = found == nullptr ? std::nullopt : reader_.list(*found);
  std::vector<double> out;
  if (!items) return out;
  for (const Value* item : *items)
    if (auto one = reader_.number(*item)) out.push_back(*one);
  return out;
}

size_t Arguments::choice(std::string_view name) {
  const Parameter& known = parameter(name);
  auto fallback = static_cast<size_t>(std::ranges::find(known.choices, known.fallback) - known.choices.begin());
  const Value* found = value(name);
  auto out = found == nullptr ? std::nullopt : reader_.choice(*found, known.choices);
  return out.value_or(fallback);
}

std::vector<const Entry*> Arguments::map(std::string_view name) {
  std::vector<const Entry*> out;
  const Value* found = value(name);
  if (found == nullptr || !reader_.map(*found)) return out;
  for (const Entry& entry : found->entries)
    if (entry.value.kind != Value::Kind::null) out.push_back(&entry);
  return out;
}

void check_arguments(const Arguments& arguments, const ArgumentRules& rules, Reader& reader, Position declared_at) {
  std::vector<std::string_view> names;
  for (const Parameter& known : rules.table) names.push_back(known.name);
  for (const Arguments::Given& given : arguments.given()) {
    bool accepted = rules.accepts != nullptr && rules.accepts(given.key);
    if (accepted || std::ranges::find(names, given.key) != names.end()) continue;
    std::string_view near = nearest_name(given.key, names);
    std::string hint = near.empty() ? "" : "; did you mean `" + std::string(near) + "`?";
    reader.warn(given.key_at, "unknown-parameter", "`" + given.key + "` is not known here and has no effect" + hint);
  }
  for (const Parameter& known : rules.table) {
    if (!known.required || arguments.has(known.name)) continue;
    reader.error(declared_at, "param-required",
                 "`" + std::string(known.name) + "` is required in processor `" + std::string(rules.processor) + "`");
  }
}

}  // namespace lunar
