// Walks the whole table: an option without help, default, or a value to test it with fails here.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "agent/config/load.h"
#include "agent/config/option.h"
#include "tests/config/option_samples.h"

using namespace lunar;
using lunar::test::option_samples;
using lunar::test::samples_of;

namespace {

// What the option is when only `environment` is given.
std::string value_from(const Option& option, const Environment& environment) {
  return option_value(option, resolve_config({}, environment, std::nullopt).config);
}

}  // namespace

TEST_CASE("option table: every option has help, a default that is valid, and test values") {
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    CHECK_FALSE(option.help.empty());
    CHECK_FALSE(option.help.ends_with('.'));
    CHECK_FALSE(option_metavar(option).empty());
    LunardConfig config;
    CHECK(set_option(option, option.fallback, config));
    CHECK(option_value(option, config) == option.fallback);
    CHECK(option_value(option, default_config()) == option.fallback);
    CHECK_FALSE(samples_of(option).good.empty());
  }
  CHECK(option_samples().size() == option_table().size());
}

TEST_CASE("option table: paths, flags and variables are unique, and no path is the section of another") {
  std::set<std::string> flags;
  std::set<std::string_view> paths;
  std::map<std::string_view, int> variables;
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    CHECK(flags.insert(option_flag(option)).second);
    CHECK(paths.insert(option.path).second);
    for (const Variable& variable : option.variables) ++variables[variable.name];
    for (const Option& other : option_table()) CHECK_FALSE(other.path.starts_with(std::string(option.path) + "."));
  }
  for (auto [name, count] : variables) CHECK((count == 1 || name == "REDIS_USE_CLIENT_CERT"));
}

TEST_CASE("option table: good values are read and written back, bad ones are refused with a reason") {
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    for (const std::string& good : samples_of(option).good) {
      LunardConfig config = default_config();
      CAPTURE(good);
      CHECK(set_option(option, good, config));
      LunardConfig again = default_config();
      CHECK(set_option(option, option_value(option, config), again));
      CHECK(option_value(option, again) == option_value(option, config));
    }
    for (const std::string& bad : samples_of(option).bad) {
      LunardConfig config = default_config();
      CAPTURE(bad);
      auto set = set_option(option, bad, config);
      REQUIRE_FALSE(set);
      CHECK_FALSE(set.error().text.empty());
    }
  }
}

TEST_CASE("option table: every setting of the file is read from the file and from the command line") {
  for (const Option& option : option_table()) {
    const std::string& value = samples_of(option).good.back();
    CAPTURE(option.path);
    size_t dot = option.path.find('.');
    std::string key(option.path.substr(dot == std::string_view::npos ? 0 : dot + 1));
    std::string yaml = dot == std::string_view::npos
                           ? key + ": \"" + value + "\"\n"
                           : std::string(option.path.substr(0, dot)) + ": {" + key + ": \"" + value + "\"}\n";
    auto from_file = resolve_config({}, {}, yaml);
    LunardConfig expected = default_config();
    REQUIRE(set_option(option, value, expected));
    if (option.in_file()) CHECK(option_value(option, from_file.config) == option_value(option, expected));
    if (!option.in_file()) CHECK(option_value(option, from_file.config) == option.fallback);

    std::string flag = option_flag(option) + "=" + value;
    const char* arguments[] = {flag.c_str()};
    auto command_line = parse_command_line(arguments);
    CHECK(command_line.has_value() == option.on_command_line());
    if (command_line)
      CHECK(option_value(option, resolve_config(*command_line, {}, std::nullopt).config) ==
            option_value(option, expected));
  }
}

TEST_CASE("option table: every variable sets its option, and says so when it cannot") {
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    const auto& cases = samples_of(option).variables;
    REQUIRE(cases.size() == option.variables.size());
    for (size_t i = 0; i < cases.size(); ++i) {
      std::string name(option.variables[i].name);
      CHECK(value_from(option, {{name, cases[i].first}}) == cases[i].second);
      CHECK(value_from(option, {{name, ""}}) == option.fallback);
      bool may_refuse = !std::holds_alternative<ListOption>(option.type);
      auto refused = resolve_config({}, {{name, "\x01"}}, std::nullopt);
      bool effective = name != "TLS_PASSTHROUGH_PORT";  // the listener is off
      CHECK(refused.diagnostics.has_errors() == (may_refuse && effective));
      if (refused.diagnostics.has_errors())
        CHECK(refused.diagnostics.first_error()->print().starts_with("environment: error: " + name + ": "));
    }
  }
}

TEST_CASE("option table: help, manual and dump name every option that belongs there") {
  std::string help = option_help();
  std::string manual = option_manual();
  std::string dump = dump_config(default_config());
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    CHECK((help.find("  " + option_flag(option) + " ") != std::string::npos) == option.on_command_line());
    std::string escaped(option.in_file() ? option.path : option.variables.back().name);
    CHECK(manual.find("\\fB" + escaped + "\\fR") != std::string::npos);
    for (const Variable& variable : option.variables)
      CHECK(manual.find(std::string(variable.name)) != std::string::npos);
    std::string key(option.path.substr(option.path.rfind('.') + 1));
    if (option.in_file()) CHECK(dump.find(key + ": ") != std::string::npos);
  }
}
