// Walks the whole table: an option without help, default, or a value to test it with fails here.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "agent/config/load.h"
#include "agent/config/option.h"

using namespace lunar;

namespace {

struct Sample {
  std::vector<std::string> good;
  std::vector<std::string> bad;
  // Variable by variable, as the table lists them: {value, what the option then is}.
  std::vector<std::pair<std::string, std::string>> variables;
};

const Sample switch_sample{{"true", "false"}, {"", "maybe", "2"}, {}};
const Sample text_sample{{"x", "a b"}, {"a\nb", "\x7f"}, {}};

Sample durations(std::string low, std::string high, std::string below, std::string above) {
  return {{low, high}, {below, above, "10", "", "-1s", "soon"}, {}};
}

Sample with_variables(Sample sample, std::vector<std::pair<std::string, std::string>> variables) {
  sample.variables = std::move(variables);
  return sample;
}

Sample listener(std::vector<std::pair<std::string, std::string>> variables) {
  return {{"198.18.0.1:1", "[::1]:65535", "off"},
          {"", "8000", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "auto"},
          std::move(variables)};
}

const std::map<std::string, Sample, std::less<>>& samples() {
  static const std::map<std::string, Sample, std::less<>> all{
      {"config_dir", with_variables(text_sample, {{"/a", "/a"}, {"/b", "/b"}})},
      {"managed", with_variables(switch_sample, {{"true", "true"}})},
      {"own_traces_endpoint", with_variables(text_sample, {{"http://a:4318/v1/traces", "http://a:4318/v1/traces"}})},
      {"instance_id", with_variables(text_sample, {{"a", "a"}})},
      {"tenant", with_variables(text_sample, {{"a", "a"}})},
      {"log.level", {{"error", "warn", "info", "debug"}, {"", "trace", "Info"}, {{"DEBUG", "debug"}}}},
      {"workers", {{"auto", "1", "64"}, {"", "0", "65", "all"}, {}}},
      {"max_connections", {{"16", "4294967295"}, {"", "15", "-1", "many", "4294967296"}, {{"100", "100"}}}},
      {"query_params_mode", with_variables(switch_sample, {{"1", "true"}})},
      {"shutdown_grace", durations("0s", "1h", "0", "61m")},
      {"backups", {{"0", "1000"}, {"", "1001", "-1"}, {{"7", "7"}}}},
      {"listeners.proxy", listener({{"8123", "127.0.0.1:8123"}})},
      {"listeners.health", listener({{"8123", "127.0.0.1:8123"}})},
      {"listeners.admin", listener({{"8123", "127.0.0.1:8123"}})},
      {"listeners.metrics", listener({{"8123", "127.0.0.1:8123"}})},
      {"listeners.tls", listener({})},
      {"listeners.tls_certificate", with_variables(text_sample, {{"/c.pem", "/c.pem"}})},
      {"listeners.connect", listener({{"true", "127.0.0.1:8001"}, {"8123", "off"}})},
      {"control.socket", text_sample},
      {"control.group", text_sample},
      {"admin.api_key_file", text_sample},
      {"admin.api_key", with_variables(text_sample, {{"k", "k"}})},
      {"timeouts.connect", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"timeouts.client", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"timeouts.server", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"capture.enabled", switch_sample},
      {"capture.required", switch_sample},
      {"capture.include_loopback", switch_sample},
      {"capture.allow_list", {{"", "a.example.com,198.18.0.0/15"}, {}, {{" a , b,", "a,b"}}}},
      {"capture.block_list", {{"", "a.example.com"}, {}, {{"a", "a"}}}},
      {"capture.quic", {{"bypass", "refuse"}, {"", "block"}, {}}},
      {"failsafe.heartbeat_deadline", durations("50ms", "10s", "49ms", "10001ms")},
      {"failsafe.probe_interval", durations("10ms", "10s", "9ms", "10001ms")},
      {"failsafe.enter_after", {{"1", "1000"}, {"", "0", "1001"}, {{"9", "9"}}}},
      {"failsafe.exit_after", with_variables(durations("0s", "1h", "0", "61m"), {{"7", "7s"}})},
      {"failsafe.max_pending_accepts", {{"1", "65535"}, {"", "0", "65536"}, {}}},
      {"flows.body_limit", {{"0", "64MiB"}, {"", "65MiB", "1MB", "-1"}, {{"4096", "4KiB"}}}},
      {"flows.body_wait", durations("100ms", "10m", "99ms", "11m")},
      {"flows.processing_timeout", {{"auto", "1s", "1h"}, {"", "10", "999ms", "61m", "never"}, {{"7", "7s"}}}},
      {"flows.retry_timeout", with_variables(durations("1s", "24h", "999ms", "25h"), {{"7", "7s"}})},
      {"flows.concurrent_poll", with_variables(durations("10ms", "10s", "9ms", "11s"), {{"700", "700ms"}})},
      {"cache.store", {{"memory", "redis"}, {"", "disk"}, {}}},
      {"discovery.tree_refresh", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"state.dir", text_sample},
      {"state.snapshot_interval", durations("1s", "10m", "999ms", "11m")},
      {"redis.url", with_variables(text_sample, {{"redis://a:1", "redis://a:1"}})},
      {"redis.cluster", with_variables(switch_sample, {{"true", "true"}})},
      {"redis.prefix", with_variables(text_sample, {{"p", "p"}})},
      {"redis.timeout", durations("1ms", "1s", "0ms", "1001ms")},
      {"redis.on_store_failure", {{"local_share", "allow", "deny"}, {"", "retry"}, {}}},
      {"redis.ca", with_variables(text_sample, {{"true", "/etc/redis/ca.crt"}})},
      {"redis.cert", with_variables(text_sample, {{"true", "/etc/redis/client.crt"}})},
      {"redis.key", with_variables(text_sample, {{"true", "/etc/redis/client.key"}})},
      {"redis.beat", with_variables(durations("100ms", "1h", "99ms", "61m"), {{"7", "7s"}})},
      {"redis.stale_after", with_variables(durations("100ms", "24h", "99ms", "25h"), {{"7", "7s"}})},
      {"access_log.path", with_variables({{"off", "/var/log/x.log"}, {"a\nb"}, {}}, {})},
      {"access_log.rotate_size", {{"4KiB", "10GiB"}, {"", "0", "4095", "big"}, {{"1MiB", "1MiB"}}}},
      {"access_log.rotate_interval",
       {{"none", "5min", "10min", "30min", "hourly", "daily", "weekly"}, {"", "1h"}, {{"DAILY", "daily"}}}},
      {"access_log.retain", {{"0", "100000"}, {"", "-1", "100001"}, {{"9", "9"}}}},
      {"exporters.flush", with_variables(durations("0s", "5m", "0", "6m"), {{"7", "7s"}})},
      {"hub.url", with_variables(text_sample, {{"hub.example.com", "hub.example.com"}})},
      {"hub.api_key_file", text_sample},
      {"hub.report_interval", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"hub.metrics_interval", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"hub.initial_wait", with_variables(durations("1s", "1h", "999ms", "61m"), {{"7", "7s"}})},
      {"hub.max_wait", with_variables(durations("1s", "24h", "999ms", "25h"), {{"7", "7s"}})},
      {"hub.attempts_per_wait", {{"1", "1000"}, {"", "0", "1001"}, {{"9", "9"}}}},
      {"hub.exponential_growth", with_variables(switch_sample, {{"false", "false"}})},
  };
  return all;
}

const Sample& sample_of(const Option& option) {
  auto found = samples().find(option.path);
  REQUIRE_MESSAGE(found != samples().end(), "no test values for " << std::string(option.path));
  return found->second;
}

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
    CHECK_FALSE(sample_of(option).good.empty());
  }
  CHECK(samples().size() == option_table().size());
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
    for (const std::string& good : sample_of(option).good) {
      LunardConfig config = default_config();
      CAPTURE(good);
      CHECK(set_option(option, good, config));
      LunardConfig again = default_config();
      CHECK(set_option(option, option_value(option, config), again));
      CHECK(option_value(option, again) == option_value(option, config));
    }
    for (const std::string& bad : sample_of(option).bad) {
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
    const std::string& value = sample_of(option).good.back();
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
    const auto& cases = sample_of(option).variables;
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
