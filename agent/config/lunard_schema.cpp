#include "agent/config/lunard_schema.h"

#include <string>
#include <string_view>
#include <variant>

#include "agent/config/option.h"
#include "flowengine/explain/schema_parts.h"
#include "flowengine/spec/value.h"

namespace lunar {
namespace {

// The spellings of flowengine/quantity.h and Endpoint::parse().
constexpr std::string_view duration_pattern = "^[0-9]+(\\.[0-9]{1,9})?(ms|s|m|h)$";
constexpr std::string_view size_pattern = "^[0-9]+(\\.[0-9]{1,9})?(KiB|MiB|GiB)?$";
constexpr std::string_view text_pattern = "^[^\\u0000-\\u001f\\u007f]*$";

std::string endpoint_pattern() {
  const std::string octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  const std::string port = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})";
  return "^(" + octet + "(\\." + octet + "){3}|\\[[0-9A-Fa-f:.]+\\]):" + port + "$";
}

Json spelt(std::string_view pattern, std::string_view help) {
  Json out = schema::text(help);
  out["pattern"] = pattern;
  return out;
}

Json either(Json one, Json other, std::string_view help) {
  return Json{{"description", help}, {"anyOf", Json::array({std::move(one), std::move(other)})}};
}

Json constant(std::string_view word) { return Json{{"const", word}}; }

Json schema_for(const FlagOption&, std::string_view help) { return schema::boolean(help); }

Json schema_for(const IntegerOption& type, std::string_view help) { return schema::integer(type.low, type.high, help); }

Json schema_for(const AutoIntegerOption& type, std::string_view help) {
  return either(constant("auto"), schema::integer(type.low, type.high, ""), help);
}

Json schema_for(const DurationOption&, std::string_view help) { return spelt(duration_pattern, help); }

Json schema_for(const AutoDurationOption&, std::string_view help) {
  return either(constant("auto"), spelt(duration_pattern, ""), help);
}

Json schema_for(const SizeOption& type, std::string_view help) {
  const auto low = static_cast<int64_t>(type.low);
  return either(spelt(size_pattern, ""), schema::integer(low, static_cast<int64_t>(type.high), ""), help);
}

Json schema_for(const TextOption&, std::string_view help) { return spelt(text_pattern, help); }

Json schema_for(const ListenerOption&, std::string_view help) {
  return either(constant("off"), spelt(endpoint_pattern(), ""), help);
}

Json schema_for(const ListOption&, std::string_view help) {
  return schema::list(schema::or_null(schema::text("")), help);
}

// A name that YAML takes for a number needs no quotes.
Json schema_for(const ChoiceOption& type, std::string_view help) {
  Json out = schema::choice(type.names, help);
  for (const std::string_view name : type.names)
    if (plain_scalar_type(name) != Value::ScalarType::string) out["enum"].push_back(parse_json(name).value());
  return out;
}

// The default as the document would have it.
Json fallback_of(const Option& option) {
  if (const auto* list = std::get_if<ListOption>(&option.type)) {
    LunardConfig config = default_config();
    return Json(list->member(config));
  }
  const bool typed = std::holds_alternative<FlagOption>(option.type) ||
                     std::holds_alternative<IntegerOption>(option.type) ||
                     std::holds_alternative<AutoIntegerOption>(option.type);
  return (typed ? parse_json(option.fallback) : std::nullopt).value_or(Json(option.fallback));
}

Json setting(const Option& option) {
  const std::string range = option_range(option);
  const std::string help = std::string(option.help) + (range.empty() ? "" : " (" + range + ")");
  Json out = schema::or_null(std::visit([&](const auto& type) { return schema_for(type, help); }, option.type));
  out["default"] = fallback_of(option);
  return out;
}

Json empty_section() {
  return Json{
      {"type", Json::array({"object", "null"})}, {"properties", Json::object()}, {"additionalProperties", false}};
}

// At its path, in sections that come to be on the way.
void add(Json& root, std::string_view path, Json value) {
  Json* section = &root;
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    Json& below = (*section)["properties"][std::string(path.substr(0, dot))];
    if (below.is_null()) below = empty_section();
    section = &below;
    path.remove_prefix(dot + 1);
  }
  (*section)["properties"][std::string(path)] = std::move(value);
}

}  // namespace

Json lunard_schema() {
  Json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "lunar lunard"}};
  out.update(empty_section());
  for (const Option& option : option_table())
    if (option.in_file()) add(out, option.path, setting(option));
  return out;
}

}  // namespace lunar
