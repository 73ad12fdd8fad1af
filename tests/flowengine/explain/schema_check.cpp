#include "tests/flowengine/explain/schema_check.h"

#include <doctest/doctest.h>

#include <cmath>
#include <regex>
#include <set>

#include "flowengine/processors/types.h"
#include "flowengine/spec/document.h"

namespace lunar {
namespace {

bool is_type(const std::string& type, const Json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  REQUIRE(type == "integer");
  return value.is_number_integer() || (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
}

class Validation {
 public:
  explicit Validation(const Json& root) : root_(root) {}

  std::string fault(const Json& schema, const Json& value, const std::string& path) {
    if (schema.is_boolean()) return schema.get<bool>() ? "" : path + ": nothing may stand here";
    for (const auto& [keyword, rule] : schema.items()) {
      if (std::string found = one(keyword, rule, schema, value, path); !found.empty()) return found;
    }
    return "";
  }

 private:
  std::string one(const std::string& keyword, const Json& rule, const Json& schema, const Json& value,
                  const std::string& path) {
    static const std::set<std::string> silent{"$schema", "title", "description", "$defs", "default", "then"};
    const auto unless = [&](bool good) { return good ? "" : path + ": " + keyword + " " + rule.dump(); };
    if (keyword == "type") {
      bool good = false;
      for (const Json& type : rule.is_array() ? rule : Json::array({rule})) good = good || is_type(type, value);
      return unless(good);
    }
    if (keyword == "properties" || keyword == "additionalProperties") return members(schema, value, path);
    if (silent.contains(keyword)) return "";
    if (keyword == "$ref") return fault(root_["$defs"][rule.get<std::string>().substr(8)], value, path);
    if (keyword == "required") {
      for (const Json& name : rule)
        if (value.is_object() && !value.contains(name.get<std::string>())) return path + ": lacks " + name.dump();
      return "";
    }
    if (keyword == "enum") return unless(std::ranges::find(rule, value) != rule.end());
    if (keyword == "const") return unless(rule == value);
    if (keyword == "minimum") return unless(!value.is_number() || value.get<double>() >= rule.get<double>());
    if (keyword == "maximum") return unless(!value.is_number() || value.get<double>() <= rule.get<double>());
    if (keyword == "minLength") return unless(!value.is_string() || value.get<std::string>().size() >= rule);
    if (keyword == "minItems") return unless(!value.is_array() || value.size() >= rule);
    if (keyword == "minProperties") return unless(!value.is_object() || value.size() >= rule);
    if (keyword == "maxProperties") return unless(!value.is_object() || value.size() <= rule);
    if (keyword == "pattern")
      return unless(!value.is_string() ||
                    std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())));
    return combined(keyword, rule, schema, value, path);
  }

  std::string combined(const std::string& keyword, const Json& rule, const Json& schema, const Json& value,
                       const std::string& path) {
    const auto count = [&](const Json& schemas) {
      return std::ranges::count_if(schemas, [&](const Json& each) { return fault(each, value, path).empty(); });
    };
    if (keyword == "anyOf") {
      std::string last;
      for (const Json& each : rule)
        if ((last = fault(each, value, path)).empty()) return "";
      return "none of " + std::to_string(rule.size()) + ", the last one: " + last;
    }
    if (keyword == "oneOf") return count(rule) == 1 ? "" : path + ": not exactly one";
    if (keyword == "not") return fault(rule, value, path).empty() ? path + ": must not be " + rule.dump() : "";
    if (keyword == "allOf") {
      for (const Json& each : rule)
        if (std::string found = fault(each, value, path); !found.empty()) return found;
      return "";
    }
    if (keyword == "if") return fault(rule, value, path).empty() ? fault(schema["then"], value, path) : "";
    if (keyword == "contains" || keyword == "items") {
      if (!value.is_array()) return "";
      size_t good = 0;
      std::string first;
      for (size_t i = 0; i < value.size(); ++i) {
        const std::string found = fault(rule, value[i], path + "/" + std::to_string(i));
        good += found.empty() ? 1 : 0;
        if (first.empty()) first = found;
      }
      if (keyword == "items") return first;
      return good > 0 ? "" : path + ": contains none of " + rule.dump();
    }
    FAIL("a keyword that the check does not know: " << keyword);
    return "";
  }

  std::string members(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_object()) return "";
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      const std::string below = path + "/" + name;
      const bool known = properties.contains(name);
      if (!known && !schema.contains("additionalProperties")) continue;
      const Json& rule = known ? properties[name] : schema["additionalProperties"];
      if (std::string found = fault(rule, member, below); !found.empty()) return found;
    }
    return "";
  }

  const Json& root_;
};

}  // namespace

std::string schema_fault(const Json& schema, const Json& value) { return Validation(schema).fault(schema, value, ""); }

std::string schema_fault_of_yaml(const Json& schema, std::string_view text) {
  Diagnostics findings;
  const auto document = read_document("file.yaml", text, findings);
  REQUIRE(document);
  return schema_fault(schema, to_json(*document));
}

}  // namespace lunar
