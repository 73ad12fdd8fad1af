#include <doctest/doctest.h>

#include "agent/config/load.h"
#include "agent/config/option.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

std::string printed(const LoadedConfig& loaded) {
  std::string out;
  for (const Diagnostic& finding : loaded.diagnostics.list()) out += finding.print() + "\n";
  return out;
}

std::string findings(std::string_view yaml) { return printed(resolve_config({}, {}, yaml)); }

CommandLine command_line(std::vector<std::pair<std::string, std::string>> settings) {
  CommandLine out;
  out.settings = std::move(settings);
  return out;
}

}  // namespace

TEST_CASE("configuration: command line wins over environment, file and default") {
  CommandLine words = command_line({{"max_connections", "400"}});
  Environment variables{{"LUNAR_MAXCONN", "300"}};
  std::string_view file = "max_connections: 200\n";
  CHECK(resolve_config({}, {}, std::nullopt).config.max_connections == 65536);
  CHECK(resolve_config({}, {}, file).config.max_connections == 200);
  CHECK(resolve_config({}, variables, file).config.max_connections == 300);
  CHECK(resolve_config(words, variables, file).config.max_connections == 400);
}

TEST_CASE("configuration: defaults are those of the specification") {
  LunardConfig config = default_config();
  CHECK(config.listeners.proxy->text() == "127.0.0.1:8000");
  CHECK(config.listeners.health->text() == "127.0.0.1:8040");
  CHECK(config.listeners.admin->text() == "127.0.0.1:8081");
  CHECK(config.listeners.metrics->text() == "127.0.0.1:3000");
  CHECK_FALSE(config.listeners.connect);
  CHECK(config.control.socket == "/run/lunar/lunard.sock");
  CHECK(config.log_level == LogLevel::info);
  CHECK(config.timeouts.connect == 50s);
  CHECK(config.capture.enabled);
  CHECK_FALSE(config.capture.required);
  CHECK(config.capture.quic == QuicCapture::bypass);
  CHECK(config.flows.body_limit == 1024 * 1024);
  CHECK_FALSE(config.flows.processing_timeout);
  CHECK_FALSE(config.workers);
  CHECK(config.failsafe.heartbeat_deadline == 250ms);
  CHECK(config.failsafe.probe_interval == 100ms);
  CHECK(config.failsafe.enter_after == 5);
  CHECK(config.failsafe.max_pending_accepts == 512);
  CHECK(config.tls.intercept.empty());
  CHECK(config.tls.passthrough.empty());
  CHECK(config.tls.ca_dir.empty());
  CHECK(config.tls.leaf_lifetime == 168h);
  CHECK(config.tls.leaf_cache == 1000);
  CHECK(config.tls.session_cache == 1024);
  CHECK(config.tls.min_version == LowestTls::tls12);
  CHECK(config.tls.untrusted_for == 1h);
  CHECK(config.tls.handshake_timeout == 10s);
  CHECK(config.access_log.path == "/var/log/lunar/access.log");
  CHECK(config.access_log.rotate_interval == RotateInterval::none);
  CHECK(config.redis.url.empty());
  CHECK(findings("").empty());
}

TEST_CASE("configuration: a file of the specification is read") {
  auto loaded = resolve_config(
      {}, {},
      "redis: {url: \"rediss://store.example.com:6380\", prefix: lunar, timeout: 20ms, on_store_failure: deny}\n"
      "flows: {body_limit: 4MiB, processing_timeout: auto, retry_timeout: 60s}\n"
      "capture: {enabled: true, allow_list: [api.example.com, 198.18.0.0/15]}\n"
      "listeners: {proxy: \"0.0.0.0:8000\", admin: off, connect: \"[::]:8001\"}\n"
      "access_log: {path: off, rotate_size: 50MiB, retain: 5}\n"
      "log: {level: debug}\nworkers: 2\nhub: null\n");
  CHECK(printed(loaded).empty());
  CHECK(loaded.config.redis.timeout == 20ms);
  CHECK(loaded.config.redis.on_store_failure == StoreFailure::deny);
  CHECK(loaded.config.flows.body_limit == 4 * 1024 * 1024);
  CHECK(loaded.config.flows.retry_timeout == 60s);
  CHECK(loaded.config.capture.allow_list == std::vector<std::string>{"api.example.com", "198.18.0.0/15"});
  CHECK(loaded.config.listeners.proxy->text() == "0.0.0.0:8000");
  CHECK_FALSE(loaded.config.listeners.admin);
  CHECK(loaded.config.listeners.connect->text() == "[::]:8001");
  CHECK(loaded.config.access_log.path.empty());
  CHECK(loaded.config.log_level == LogLevel::debug);
  CHECK(loaded.config.workers == 2);
}

TEST_CASE("configuration: an unknown key is a warning, and everything else stays in effect") {
  auto loaded =
      resolve_config({}, {}, "max_connection: 100\ntimeouts: {conect: 5s, server: 7s}\nadmin: {api_key: x}\n");
  CHECK(printed(loaded) ==
        "lunard.yaml:1:1: warning: `max_connection` is not known here and has no effect; did you mean "
        "`max_connections`? [unknown-key]\n"
        "lunard.yaml:2:12: warning: `conect` is not known here and has no effect; did you mean `connect`? "
        "[unknown-key]\n"
        "lunard.yaml:3:9: warning: `api_key` is not known here and has no effect [unknown-key]\n");
  CHECK(loaded.config.timeouts.server == 7s);
  CHECK(loaded.config.admin.api_key.empty());
  CHECK_FALSE(loaded.diagnostics.has_errors());
}

TEST_CASE("configuration: every other fault is an error at the offending place") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"- a\n", "lunard.yaml:1:1: error: expected a mapping, found a list [bad-type]"},
      {"a: [\n", "lunard.yaml:2:1: error: end of sequence flow not found [bad-yaml]"},
      {"timeouts: 5s\n", "lunard.yaml:1:11: error: expected a mapping, found \"5s\" [bad-type]"},
      {"timeouts:\n  connect: 50\n",
       "lunard.yaml:2:12: error: timeouts.connect: \"50\" has no unit; write for example 50s [bad-type]"},
      {"timeouts: {connect: 2h}\n",
       "lunard.yaml:1:21: error: timeouts.connect: \"2h\" is out of range (1s-1h) [out-of-range]"},
      {"max_connections: 3\n",
       "lunard.yaml:1:18: error: max_connections: \"3\" is out of range (>= 16) [out-of-range]"},
      {"max_connections: many\n", "lunard.yaml:1:18: error: expected an integer, found \"many\" [bad-type]"},
      {"max_connections: -1\n",
       "lunard.yaml:1:18: error: max_connections: expected an integer, found \"-1\" [bad-type]"},
      {"log: {level: loud}\n",
       "lunard.yaml:1:14: error: log.level: \"loud\" is not one of error, warn, info, debug [out-of-range]"},
      {"query_params_mode: 2\n", "lunard.yaml:1:20: error: expected true or false, found 2 [bad-type]"},
      {"listeners: {proxy: 8000}\n",
       "lunard.yaml:1:20: error: listeners.proxy: expected an address with a port, as 127.0.0.1:8000 or [::1]:8000, "
       "or off, found \"8000\" [bad-type]"},
      {"flows: {body_limit: 5MB}\n",
       "lunard.yaml:1:21: error: flows.body_limit: expected a size, as 4096, 10KiB, 4MiB or 1GiB, found \"5MB\" "
       "[bad-type]"},
      {"capture: {allow_list: {a: b}}\n", "lunard.yaml:1:23: error: expected a list, found a mapping [bad-type]"},
      {"tenant: [a]\n", "lunard.yaml:1:9: error: expected a text, found a list [bad-type]"},
      {"workers: some\n", "lunard.yaml:1:10: error: expected an integer, found \"some\" [bad-type]"},
      {"failsafe:\n  probe_interval: 300ms\n",
       "lunard.yaml:2:19: error: failsafe.probe_interval: 300ms is not below failsafe.heartbeat_deadline, which is "
       "250ms [out-of-range]"},
      {"redis: {beat: 5m}\n",
       "lunard.yaml: error: redis.stale_after: 2m is not above redis.beat, which is 5m [out-of-range]"},
      {"cache: {store: redis}\n",
       "lunard.yaml:1:16: error: cache.store: redis needs redis.url, which is not set [out-of-range]"},
      {"redis: {url: \"http://a:1\"}\n",
       "lunard.yaml:1:14: error: redis.url: expected redis[s]://[user:pass@]host:port[/db] [out-of-range]"},
      {"redis: {cert: /a}\n",
       "lunard.yaml:1:15: error: redis.cert: redis.cert and redis.key belong together, and one of them is missing "
       "[out-of-range]"},
      {"redis: {key: /a}\n",
       "lunard.yaml:1:14: error: redis.key: redis.cert and redis.key belong together, and one of them is missing "
       "[out-of-range]"},
      {"hub: {url: hub.example.com}\n",
       "lunard.yaml:1:12: error: hub.url: needs a key in hub.api_key_file or LUNAR_API_KEY [out-of-range]"},
      {"tls: {leaf_lifetime: 169h}\n",
       "lunard.yaml:1:22: error: tls.leaf_lifetime: \"169h\" is out of range (1h-168h) [out-of-range]"},
      {"tls: {min_version: 1.1}\n",
       "lunard.yaml:1:20: error: tls.min_version: \"1.1\" is not one of 1.2, 1.3 [out-of-range]"},
      {"tls:\n  intercept:\n    - api.example.com\n    - api.example.com:0\n",
       "lunard.yaml:4:7: error: tls.intercept: \"api.example.com:0\": expected a port from 1 to 65535, found \"0\" "
       "[bad-type]"},
      {"tls: {passthrough: [\"* unit=shop\"]}\n",
       "lunard.yaml:1:21: error: tls.passthrough: \"* unit=shop\": expected unit= and the full name of a unit without "
       "escapes, as unit=shop.service, found \"unit=shop\" [bad-type]"},
      {"hub: {url: \"http://a\", api_key_file: k}\n",
       "lunard.yaml:1:12: error: hub.url: expected wss://host[:port], ws://host[:port] or host[:port] [out-of-range]"},
  };
  for (auto [yaml, expected] : cases) {
    CAPTURE(yaml);
    CHECK(findings(yaml) == std::string(expected) + "\n");
    CHECK(resolve_config({}, {}, yaml).diagnostics.has_errors());
  }
}

TEST_CASE("configuration: coercions are warnings") {
  auto loaded = resolve_config({}, {},
                               "query_params_mode: yes\nbackups: \"3\"\nlog: {level: info}\ntenant: 5\n"
                               "capture: {allow_list: a.example.com}\n");
  CHECK(printed(loaded) ==
        "lunard.yaml:1:20: warning: \"yes\" is read as true [coerced]\n"
        "lunard.yaml:2:10: warning: \"3\" is read as 3 [coerced]\n"
        "lunard.yaml:4:9: warning: 5 is read as the text \"5\" [coerced]\n"
        "lunard.yaml:5:23: warning: \"a.example.com\" is read as a list of one [coerced]\n");
  CHECK(loaded.config.query_params_mode);
  CHECK(loaded.config.backups == 3);
  CHECK(loaded.config.tenant == "5");
}

TEST_CASE("configuration: accepted URLs of stores and hubs") {
  for (std::string_view url : {"redis://a:1", "rediss://u:p@a.example.com:6380/2", "redis://:p%40@[::1]:6379"})
    CHECK(findings("redis: {url: \"" + std::string(url) + "\"}").empty());
  for (std::string_view url : {"hub.example.com", "wss://hub.example.com:8443", "ws://hub.example.com"})
    CHECK(findings("hub: {url: \"" + std::string(url) + "\", api_key_file: k}").empty());
  for (std::string_view url : {"redis://a", "redis://a:1/x", "redis:a:1", "a:1", "redis://a:1/0/1"})
    CHECK_FALSE(findings("redis: {url: \"" + std::string(url) + "\"}").empty());
  CHECK(printed(resolve_config({}, {{"LUNAR_API_KEY", "k"}}, "hub: {url: a}")).empty());
}

TEST_CASE("configuration: a fault of the command line or a variable names its source") {
  CHECK(printed(resolve_config(command_line({{"backups", "x"}}), {}, std::nullopt)) ==
        "command line: error: backups: expected an integer, found \"x\" [bad-type]\n");
  CHECK(printed(resolve_config({}, {{"LUNAR_MAXCONN", "3"}}, std::nullopt)) ==
        "environment: error: LUNAR_MAXCONN: \"3\" is out of range (>= 16) [out-of-range]\n");
  CHECK(printed(resolve_config({}, {{"LUNAR_CONNECT_TIMEOUT_SEC", "5s"}}, std::nullopt)) ==
        "environment: error: LUNAR_CONNECT_TIMEOUT_SEC: expected a number of seconds, found \"5s\" [bad-type]\n");
  CHECK(printed(resolve_config({}, {{"BIND_PORT", "70000"}}, std::nullopt))
            .starts_with("environment: error: BIND_PORT: expected an address with a port"));
}

TEST_CASE("configuration: every bad entry of a list is found where it stands") {
  const std::string host = "expected a host (api.example.com, *.example.com), an address, a range (10.0.0.0/8) or *";
  CHECK(findings("tls:\n  intercept: [a:0, c.example.com, \"[c]\"]\n  passthrough: [198.18.0.300]\n") ==
        "lunard.yaml:2:15: error: tls.intercept: \"a:0\": expected a port from 1 to 65535, found \"0\" [bad-type]\n"
        "lunard.yaml:2:35: error: tls.intercept: \"[c]\": " +
            host +
            ", found \"c\" [bad-type]\n"
            "lunard.yaml:3:17: error: tls.passthrough: \"198.18.0.300\": " +
            host + ", found \"198.18.0.300\" [bad-type]\n");
}

TEST_CASE("configuration: a value that a rule refuses is of the source that gave it") {
  std::string_view file = "tls: {intercept: [a.example.com]}\nfailsafe: {probe_interval: 50ms}\n";
  CHECK(printed(resolve_config(command_line({{"tls.intercept", "a.example.com:x"}}), {}, file)) ==
        "command line: error: tls.intercept: \"a.example.com:x\": expected a port from 1 to 65535, found \"x\" "
        "[bad-type]\n");
  CHECK(printed(resolve_config(command_line({{"failsafe.probe_interval", "1s"}}), {}, file)) ==
        "command line: error: failsafe.probe_interval: 1s is not below failsafe.heartbeat_deadline, which is 250ms "
        "[out-of-range]\n");
  CHECK(printed(resolve_config({}, {{"LUNAR_HUB_URL", "hub.example.com"}}, file)) ==
        "environment: error: hub.url: needs a key in hub.api_key_file or LUNAR_API_KEY [out-of-range]\n");
}

TEST_CASE("configuration: variables with a port keep the address of the file") {
  auto loaded =
      resolve_config({}, {{"BIND_PORT", "9000"}, {"TLS_PASSTHROUGH_ON", "true"}, {"TLS_PASSTHROUGH_PORT", "9001"}},
                     "listeners: {proxy: \"0.0.0.0:8000\"}\n");
  CHECK(printed(loaded).empty());
  CHECK(loaded.config.listeners.proxy->text() == "0.0.0.0:9000");
  CHECK(loaded.config.listeners.connect->text() == "127.0.0.1:9001");
  auto opened = resolve_config({}, {{"METRICS_LISTEN_PORT", "9"}}, "listeners: {metrics: off}\n");
  CHECK(opened.config.listeners.metrics->text() == "127.0.0.1:9");
  auto closed = resolve_config({}, {{"TLS_PASSTHROUGH_ON", "0"}}, "listeners: {connect: \"127.0.0.1:8001\"}\n");
  CHECK_FALSE(closed.config.listeners.connect);
  auto kept = resolve_config({}, {{"TLS_PASSTHROUGH_ON", "1"}}, "listeners: {connect: \"127.0.0.1:7\"}\n");
  CHECK(kept.config.listeners.connect->text() == "127.0.0.1:7");
}

TEST_CASE("configuration: LUNAR_CONFIG_DIR wins over its older name") {
  Environment both{{"LUNAR_CONFIG_DIR", "/new"}, {"LUNAR_PROXY_CONFIG_DIR", "/old"}};
  CHECK(resolve_config({}, both, std::nullopt).config.config_dir == "/new");
  CHECK(resolve_config({}, {{"LUNAR_PROXY_CONFIG_DIR", "/old"}}, std::nullopt).config.config_dir == "/old");
  CHECK(resolve_config({}, {}, std::nullopt).config.config_dir == "/etc/lunar");
}

TEST_CASE("configuration: variables without effect give one note") {
  auto loaded = resolve_config(
      {}, {{"LUNAR_TELEMETRY", "1"}, {"REDIS_MAX_RETRIES", "3"}, {"DIAGNOSIS_FAILSAFE_X", ""}, {"PATH", "/bin"}},
      std::nullopt);
  REQUIRE(loaded.notes.size() == 1);
  CHECK(loaded.notes[0] ==
        "these environment variables have no effect here: DIAGNOSIS_FAILSAFE_X, LUNAR_TELEMETRY, REDIS_MAX_RETRIES");
  CHECK(printed(loaded).empty());
  auto policies = resolve_config({}, {{"LUNAR_STREAMS_ENABLED", "false"}}, std::nullopt);
  CHECK(policies.notes.size() == 1);
  CHECK(printed(policies).starts_with("environment: warning: LUNAR_STREAMS_ENABLED is false"));
  CHECK(resolve_config({}, {{"PATH", "/bin"}}, std::nullopt).notes.empty());
}

TEST_CASE("dump: is a lunard.yaml that gives the same configuration") {
  auto loaded =
      resolve_config({}, {},
                     "capture: {allow_list: [a.example.com, 198.18.0.0/15], quic: refuse}\ntenant: \"5\"\ninstance_id: "
                     "\"a\\\"b\\\\c\"\n"
                     "workers: 3\naccess_log: {path: off}\nlisteners: {admin: off}\nredis: {prefix: \"true\"}\n");
  REQUIRE(printed(loaded).empty());
  auto again = resolve_config({}, {}, dump_config(loaded.config));
  CHECK(printed(again).empty());
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    CHECK(option_value(option, again.config) == option_value(option, loaded.config));
  }
}

TEST_CASE("dump: shows no secret") {
  auto loaded = resolve_config({}, {{"LUNAR_API_KEY", "topsecret"}}, "redis: {url: \"redis://u:hunter2@a:1/0\"}\n");
  std::string dump = dump_config(loaded.config);
  CHECK(dump.find("topsecret") == std::string::npos);
  CHECK(dump.find("hunter2") == std::string::npos);
  CHECK(dump.find("redis://***@a:1/0") != std::string::npos);
}
