#include "tests/config/option_samples.h"

#include <doctest/doctest.h>

namespace lunar::test {
namespace {

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

}  // namespace

const std::map<std::string, Sample, std::less<>>& option_samples() {
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
      {"tls.intercept", {{"", "*.example.com:443 unit=shop.service,[2001:db8::1]:8443,*"}, {}, {}}},
      {"tls.passthrough", {{"", "bank.example.com,198.18.0.0/15"}, {}, {}}},
      {"tls.ca_dir", text_sample},
      {"tls.leaf_lifetime", durations("1h", "168h", "3599s", "169h")},
      {"tls.leaf_cache", {{"16", "100000"}, {"", "15", "100001", "-1", "many"}, {}}},
      {"tls.session_cache", {{"0", "100000"}, {"", "100001", "-1", "many"}, {}}},
      {"tls.min_version", {{"1.2", "1.3"}, {"", "1", "1.1", "1.4", "1.20", "v1.2"}, {}}},
      {"tls.untrusted_for", durations("1s", "24h", "999ms", "25h")},
      {"tls.handshake_timeout", durations("1s", "1m", "999ms", "61s")},
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

const Sample& samples_of(const Option& option) {
  auto found = option_samples().find(option.path);
  REQUIRE_MESSAGE(found != option_samples().end(), "no test values for " << std::string(option.path));
  return found->second;
}

}  // namespace lunar::test
