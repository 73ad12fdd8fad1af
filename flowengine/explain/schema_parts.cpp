#include "flowengine/explain/schema_parts.h"

#include <algorithm>
#include <limits>

#include "flowengine/expr/operation.h"

namespace lunar::schema {
namespace {

Json typed(std::string_view type, std::string_view help) {
  Json out{{"type", type}};
  if (!help.empty()) out["description"] = help;
  return out;
}

// Written where the loader takes a scalar for its spelling.
Json scalar(std::string_view help) {
  Json out{{"type", Json::array({"string", "number", "boolean"})}};
  if (!help.empty()) out["description"] = help;
  return out;
}

Json operator_entry() {
  return mapping({{"key", word("name of what is compared")},
                  {"value", scalar("what it is compared with")},
                  {"operation", choice(all_operation_names(), "eq where it is absent")}},
                 {"key"}, "an operator entry");
}

Json body_entry() {
  return mapping({{"key", word("a member of the request's body, or an expression")},
                  {"regex_match", scalar("a regular expression of RE2")}},
                 {"key", "regex_match"}, "an entry about the body");
}

Json status_code() {
  Json pattern = text("a status code or an ascending range");
  pattern["pattern"] = "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$";
  return Json{{"anyOf", Json::array({integer(100, 599, ""), std::move(pattern)})}};
}

Json filter() {
  const Json entries = one_or_list(reference("operator_entry"), "");
  const auto described = [&entries](std::string_view help) {
    Json out = entries;
    out["description"] = help;
    return out;
  };
  const Json expression{
      {"anyOf", Json::array({word("a JSONPath that selects something"), reference("operator_entry")})}};
  return mapping({{"name", text("informational")},
                  {"url", one_or_list(text(""), "patterns host[:port]/path with {name} and *")},
                  {"urls", one_or_list(text(""), "the same")},
                  {"path", word("appended to a url without a path; alone: any host")},
                  {"method", one_or_list(word(""), "any of these methods; absent: every one")},
                  {"methods", one_or_list(word(""), "the same")},
                  {"headers", described("all of these request headers")},
                  {"query_params", described("any of these query parameters")},
                  {"path_params", described("any of these parameters of the pattern that matched")},
                  {"body", one_or_list(reference("body_entry"), "any of these in the request's body")},
                  {"expressions", one_or_list(expression, "any of these of $.request, and any of these of $.response")},
                  {"processes", one_or_list(word(""), "globs of command names; of paths where they have a slash")},
                  {"units", one_or_list(word(""), "globs of systemd units, container names or ids")},
                  {"response_headers", described("any of these response headers")},
                  {"status_code", one_or_list(reference("status_code"), "any of these status codes of the response")},
                  {"sample_percentage", number(0, 100, "share of the transactions; 0 or absent: all")}},
                 {}, "which transactions this concerns; different keys combine with AND");
}

}  // namespace

Json text(std::string_view help) { return typed("string", help); }

Json word(std::string_view help) {
  Json out = text(help);
  out["minLength"] = 1;
  return out;
}

Json boolean(std::string_view help) { return typed("boolean", help); }

Json integer(int64_t low, int64_t high, std::string_view help) {
  Json out = typed("integer", help);
  if (low != std::numeric_limits<int64_t>::min()) out["minimum"] = low;
  if (high != std::numeric_limits<int64_t>::max()) out["maximum"] = high;
  return out;
}

Json number(double low, double high, std::string_view help) {
  Json out = typed("number", help);
  if (low != std::numeric_limits<double>::lowest()) out["minimum"] = low;
  if (high != std::numeric_limits<double>::max()) out["maximum"] = high;
  return out;
}

Json choice(std::span<const std::string_view> names, std::string_view help) {
  Json out = Json::object();
  if (!help.empty()) out["description"] = help;
  out["enum"] = Json::array();
  for (const std::string_view name : names) out["enum"].push_back(name);
  return out;
}

Json list(Json items, std::string_view help) {
  Json out = typed("array", help);
  out["items"] = std::move(items);
  return out;
}

Json one_or_list(Json item, std::string_view help) {
  Json several = list(item, "");
  Json out = Json::object();
  if (!help.empty()) out["description"] = help;
  out["anyOf"] = Json::array({std::move(item), std::move(several)});
  return out;
}

Json reference(std::string_view definition) { return Json{{"$ref", "#/$defs/" + std::string(definition)}}; }

Json or_null(Json schema) {
  const Json null{{"type", "null"}};
  if (schema.contains("anyOf")) {
    schema["anyOf"].push_back(null);
  } else if (schema.contains("enum")) {
    schema["enum"].push_back(nullptr);
  } else if (schema.contains("type") && schema["type"].is_string()) {
    schema["type"] = Json::array({schema["type"], "null"});
  } else if (schema.contains("type")) {
    schema["type"].push_back("null");
  } else if (schema.contains("$ref")) {
    return Json{{"anyOf", Json::array({std::move(schema), null})}};
  }
  return schema;
}

Json mapping(Members members, std::initializer_list<std::string_view> required, std::string_view help) {
  Json out = typed("object", help);
  out["properties"] = Json::object();
  for (const auto& [name, member] : members) {
    const bool needed = std::ranges::find(required, name) != required.end();
    out["properties"][std::string(name)] = needed ? member : or_null(member);
  }
  if (required.size() > 0) out["required"] = Json(std::vector<std::string>(required.begin(), required.end()));
  out["additionalProperties"] = false;
  return out;
}

void define_filter(Json& definitions) {
  definitions["operator_entry"] = operator_entry();
  definitions["body_entry"] = body_entry();
  definitions["status_code"] = status_code();
  definitions["filter_keys"] = filter();
  Json required = Json::array();
  for (const char* key : {"url", "urls", "path"}) required.push_back(Json{{"required", Json::array({key})}});
  definitions["filter"] = Json{{"allOf", Json::array({reference("filter_keys")})}, {"anyOf", std::move(required)}};
}

}  // namespace lunar::schema
