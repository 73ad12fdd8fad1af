#include "agent/config/lunard_schema.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <regex>

#include "agent/config/load.h"
#include "agent/config/option.h"
#include "tests/config/option_samples.h"
#include "tests/flowengine/explain/schema_check.h"

namespace lunar {
namespace {

std::string fault_of(std::string_view yaml) { return schema_fault_of_yaml(lunard_schema(), yaml); }

// What the schema says of an option; null: nothing.
Json described(const Json& schema, std::string_view path) {
  Json at = schema;
  while (!path.empty()) {
    const std::string name(path.substr(0, path.find('.')));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    Json below = at["properties"].value(name, Json());
    at = std::move(below);
  }
  return at;
}

// A text of the option table as YAML would have it.
Json yaml_value(const Option& option, const std::string& text) {
  if (const auto* list = std::get_if<ListOption>(&option.type)) {
    LunardConfig config;
    REQUIRE(set_option(option, text, config));
    return Json(list->member(config));
  }
  const bool typed = std::holds_alternative<FlagOption>(option.type) ||
                     std::holds_alternative<IntegerOption>(option.type) ||
                     std::holds_alternative<AutoIntegerOption>(option.type);
  return (typed ? parse_json(text) : std::nullopt).value_or(Json(text));
}

// A file with this setting alone.
Json file_with(std::string_view path, Json value) {
  while (!path.empty()) {
    const size_t dot = path.rfind('.');
    const bool nested = dot != std::string_view::npos;
    Json section = Json::object();
    section[std::string(path.substr(nested ? dot + 1 : 0))] = std::move(value);
    value = std::move(section);
    path = path.substr(0, nested ? dot : 0);
  }
  return value;
}

// The ranges of what is spelt as a text are not in the schema.
bool beyond_schema(const Option& option, const std::string& text) {
  LunardConfig config;
  const auto set = set_option(option, text, config);
  const bool spelt = std::holds_alternative<DurationOption>(option.type) ||
                     std::holds_alternative<AutoDurationOption>(option.type) ||
                     std::holds_alternative<SizeOption>(option.type);
  return spelt && !set && set.error().os_error == ERANGE;
}

size_t count_settings(const Json& section) {
  size_t out = 0;
  for (const Json& member : section["properties"]) out += member.contains("properties") ? count_settings(member) : 1;
  return out;
}

}  // namespace

TEST_CASE("lunard schema: has every setting of the file with help, range and default, and no other") {
  const Json schema = lunard_schema();
  CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema["title"] == "lunar lunard");
  size_t settings = 0;
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    const Json found = described(schema, option.path);
    CHECK(found.is_null() != option.in_file());
    if (!option.in_file()) continue;
    ++settings;
    const auto description = found["description"].get<std::string>();
    CHECK(description.starts_with(option.help));
    CHECK(description.contains(option_range(option)));
    const Json file = file_with(option.path, found["default"]);
    CHECK(schema_fault(schema, file) == "");
    const LoadedConfig loaded = resolve_config({}, {}, file.dump());
    CHECK(loaded.diagnostics.list().empty());
    CHECK(option_value(option, loaded.config) == option.fallback);
  }
  CHECK(count_settings(schema) == settings);
}

TEST_CASE("lunard schema: takes the values that are good and no others, but for ranges of durations and sizes") {
  const Json schema = lunard_schema();
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    if (!option.in_file()) continue;
    for (const std::string& good : test::samples_of(option).good) {
      CAPTURE(good);
      CHECK(schema_fault(schema, file_with(option.path, yaml_value(option, good))) == "");
    }
    for (const std::string& bad : test::samples_of(option).bad) {
      CAPTURE(bad);
      CHECK(schema_fault(schema, file_with(option.path, yaml_value(option, bad))).empty() ==
            beyond_schema(option, bad));
    }
  }
}

TEST_CASE("lunard schema: the defaults as they are dumped and as they are shipped fit") {
  CHECK(fault_of(dump_config(default_config())) == "");
  std::ifstream shipped(LUNAR_SHIPPED_SETTINGS);
  const std::regex setting("# (\\w+:|  \\w+: .*|\\w+: .*)");
  std::string yaml;
  size_t settings = 0;
  for (std::string line; std::getline(shipped, line);) {
    std::smatch found;
    if (!std::regex_match(line, found, setting)) continue;
    yaml += found[1].str() + "\n";
    ++settings;
  }
  CHECK(settings > 30);
  CHECK(fault_of(yaml) == "");
  CHECK(resolve_config({}, {}, yaml).diagnostics.list().empty());
}

TEST_CASE("lunard schema: what stands for nothing fits, as it loads") {
  for (std::string_view yaml :
       {"", "tls:\n", "tls: {intercept: , min_version: }\nworkers: null\n", "tls: {intercept: [a.example.com, null]}\n",
        "flows: {body_limit: 4096}\n", "tls: {min_version: 1.3}\n", "tls: {min_version: \"1.3\"}\n", "workers: auto\n",
        "listeners: {admin: off, proxy: \"[2001:db8::1]:8000\"}\n"}) {
    CAPTURE(yaml);
    CHECK(fault_of(yaml) == "");
    CHECK(resolve_config({}, {}, yaml).diagnostics.list().empty());
  }
}

TEST_CASE("lunard schema: what has a finding of its own when it is loaded does not fit") {
  for (std::string_view yaml : {"[]\n",
                                "timeouts: 5s\n",
                                "timeouts: [connect]\n",
                                "timeouts: {conect: 5s}\n",
                                "max_connection: 100\n",
                                "timeouts: {connect: 50}\n",
                                "timeouts: {connect: 5 s}\n",
                                "max_connections: 3\n",
                                "max_connections: many\n",
                                "max_connections: \"100\"\n",
                                "max_connections: 4294967296\n",
                                "workers: some\n",
                                "workers: 0\n",
                                "log: {level: loud}\n",
                                "query_params_mode: yes\n",
                                "listeners: {proxy: 8000}\n",
                                "listeners: {proxy: \"198.18.0.256:80\"}\n",
                                "listeners: {proxy: \"198.18.0.1:65536\"}\n",
                                "flows: {body_limit: 5MB}\n",
                                "flows: {body_limit: -1}\n",
                                "tenant: 5\n",
                                "tenant: [a]\n",
                                "capture: {allow_list: a.example.com}\n",
                                "capture: {allow_list: [5]}\n",
                                "admin: {api_key: x}\n",
                                "config_dir: /etc/lunar\n",
                                "tls: {intercept: a.example.com}\n",
                                "tls: {min_version: 1.1}\n",
                                "tls: {leaf_cache: 15}\n",
                                "tls: {leaf_lifetime: 7}\n",
                                "tls: {interception: []}\n"}) {
    CAPTURE(yaml);
    CHECK(fault_of(yaml) != "");
    CHECK_FALSE(resolve_config({}, {}, yaml).diagnostics.list().empty());
  }
}

}  // namespace lunar
