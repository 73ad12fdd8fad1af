#include "flowengine/explain/schema_flow.h"

#include <algorithm>

#include "flowengine/explain/schema_parts.h"
#include "flowengine/plan/plan.h"
#include "flowengine/processors/processor.h"

namespace lunar::schema {
namespace {

int64_t whole(double bound) {
  if (bound <= static_cast<double>(std::numeric_limits<int64_t>::min())) return std::numeric_limits<int64_t>::min();
  if (bound >= static_cast<double>(std::numeric_limits<int64_t>::max())) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(bound);
}

Json parameter_value(const Parameter& parameter) {
  switch (parameter.kind) {
    case ParameterKind::integer:
      return integer(whole(parameter.low), whole(parameter.high), parameter.help);
    case ParameterKind::number:
      return number(parameter.low, parameter.high, parameter.help);
    case ParameterKind::boolean:
      return boolean(parameter.help);
    case ParameterKind::text:
      return text(parameter.help);
    case ParameterKind::texts:
      return list(Json{{"type", "string"}}, parameter.help);
    case ParameterKind::choice:
      return choice(parameter.choices, parameter.help);
    case ParameterKind::numbers:
      return list(Json{{"type", "number"}}, parameter.help);
    case ParameterKind::map:
      return Json{{"type", "object"}, {"description", parameter.help}};
    case ParameterKind::any:
      break;
  }
  return Json{{"description", parameter.help}};
}

// A fallback as the document would have it.
Json fallback_of(const Parameter& parameter) {
  const bool spelt = parameter.kind == ParameterKind::integer || parameter.kind == ParameterKind::number ||
                     parameter.kind == ParameterKind::boolean;
  return (spelt ? parse_json(parameter.fallback) : std::nullopt).value_or(Json(std::string(parameter.fallback)));
}

Json parameter_entry(Json key, Json value) {
  return mapping({{"key", std::move(key)}, {"value", std::move(value)}}, {"key", "value"}, "");
}

// Filter takes one scalar for a list of one without a warning.
bool takes_scalars(const ProcessorType& type) { return type.name == "Filter"; }

bool needs_parameters(const ProcessorType& type) { return std::ranges::any_of(type.parameters, &Parameter::required); }

Json parameters_of(const ProcessorType& type) {
  Json forms = Json::array();
  Json names = Json::array();
  for (const Parameter& parameter : type.parameters) {
    Json value = parameter_value(parameter);
    if (parameter.kind == ParameterKind::texts && takes_scalars(type))
      value = one_or_list(Json{{"type", "string"}}, parameter.help);
    if (!parameter.fallback.empty() && !parameter.required) value["default"] = fallback_of(parameter);
    forms.push_back(parameter_entry(Json{{"const", parameter.name}}, parameter.required ? value : or_null(value)));
    names.push_back(parameter.name);
  }
  if (type.accepts_key != nullptr) {
    Json other{{"type", "string"}, {"pattern", "-|^[A-Z]"}, {"not", Json{{"enum", names}}}};
    forms.push_back(
        parameter_entry(std::move(other), Json{{"type", Json::array({"string", "number", "boolean", "null"})}}));
  }
  Json out = needs_parameters(type) ? Json{{"type", "array"}} : or_null(Json{{"type", "array"}});
  if (!forms.empty()) out["items"] = Json{{"anyOf", std::move(forms)}};
  Json required = Json::array();
  for (const Parameter& parameter : type.parameters) {
    if (!parameter.required) continue;
    const Json named{{"properties", {{"key", {{"const", parameter.name}}}}}, {"required", Json::array({"key"})}};
    required.push_back(Json{{"contains", named}});
  }
  if (!required.empty()) out["allOf"] = std::move(required);
  return out;
}

Json metrics_switch() {
  Json labels = Json::array();
  for (int i = 0; i <= static_cast<int>(MetricLabel::container); ++i)
    labels.push_back(metric_label_name(static_cast<MetricLabel>(i)));
  return mapping(
      {{"enabled", boolean("measure this processor")}, {"labels", list(Json{{"enum", labels}}, "its labels")}}, {},
      "metrics of this processor");
}

// The type decides which parameters there may be.
Json declaration() {
  Json types = Json::array();
  Json rules = Json::array();
  for (const ProcessorType* type : builtin_processors()) {
    if (!type->unavailable.empty()) continue;
    types.push_back(Json{{"const", type->name}, {"description", type->help}});
    Json then{{"properties", {{"parameters", reference("parameters_" + std::string(type->name))}}}};
    if (needs_parameters(*type)) then["required"] = Json::array({"parameters"});
    const Json condition{{"properties", {{"processor", {{"const", type->name}}}}},
                         {"required", Json::array({"processor"})}};
    rules.push_back(Json{{"if", condition}, {"then", std::move(then)}});
  }
  Json out = mapping({{"processor", Json{{"description", "the type"}, {"oneOf", std::move(types)}}},
                      {"parameters", Json{{"type", "array"}, {"description", "entries of key and value"}}},
                      {"metrics", reference("metrics")}},
                     {"processor"}, "one processor of this flow");
  out["allOf"] = std::move(rules);
  return out;
}

Json end_of_connection(bool source) {
  constexpr std::string_view start[] = {"start"};
  constexpr std::string_view end[] = {"end"};
  const auto place = [&](bool at_start) { return choice(at_start ? std::span(start) : std::span(end), ""); };
  const Json stream =
      mapping({{"name", word("by convention globalStream")}, {"at", place(source)}}, {"name", "at"}, "");
  const Json flow = mapping({{"name", word("of another flow")}, {"at", place(!source)}}, {"name", "at"}, "");
  Json processor = mapping({{"name", word("a key of processors, or OtherFlow.Key")}}, {"name"}, "");
  if (source) {
    processor["properties"]["condition"] = word("the output that takes this edge");
  } else {
    processor = Json{{"anyOf", Json::array({Json{{"const", "end"}}, std::move(processor)})}};
  }
  Json out = mapping({{"stream", stream}, {"flow", flow}, {"processor", processor}}, {}, "exactly one of the three");
  out["minProperties"] = out["maxProperties"] = 1;
  return out;
}

Json connections(std::string_view help) {
  Json out = list(reference("connection"), help);
  out["minItems"] = 1;
  return out;
}

}  // namespace

Json flow_file(Json& definitions) {
  constexpr std::string_view error_words[] = {"continue", "block"};
  constexpr std::string_view modes[] = {"enforce", "shadow"};
  define_filter(definitions);
  definitions["metrics"] = metrics_switch();
  for (const ProcessorType* type : builtin_processors())
    if (type->unavailable.empty()) definitions["parameters_" + std::string(type->name)] = parameters_of(*type);
  definitions["processor"] = declaration();
  definitions["source"] = end_of_connection(true);
  definitions["target"] = end_of_connection(false);
  definitions["connection"] =
      mapping({{"from", reference("source")}, {"to", reference("target")}}, {"from", "to"}, "one edge");
  Json processors{{"type", "object"}, {"description", "processors by key"}};
  processors["additionalProperties"] = reference("processor");
  Json out = mapping({{"name", word("unique over all files")},
                      {"id", word("another spelling of name")},
                      {"filter", reference("filter")},
                      {"processors", std::move(processors)},
                      {"flow", mapping({{"request", connections("edges of the request direction")},
                                        {"response", connections("edges of the response direction")}},
                                       {"request", "response"}, "what follows what")},
                      {"on_error", choice(error_words, "what happens when a processor fails")},
                      {"mode", choice(modes, "shadow: decides, and changes nothing")}},
                     {"filter", "flow"}, "");
  out["anyOf"] = Json::array({Json{{"required", Json::array({"name"})}}, Json{{"required", Json::array({"id"})}}});
  return out;
}

}  // namespace lunar::schema
