// Every setting of lunard, once (gateway.md §5, §6, §13). Parsing, defaults, environment, command line, --help, the man
// page and --dump-config are made from this table.
#include <limits>

#include "agent/config/option.h"
#include "agent/config/variable.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t any_number = std::numeric_limits<uint32_t>::max();
constexpr uint64_t any_size = std::numeric_limits<int64_t>::max();

constexpr std::string_view log_levels[] = {"error", "warn", "info", "debug"};
constexpr std::string_view quic_modes[] = {"bypass", "refuse"};
constexpr std::string_view tls_versions[] = {"1.2", "1.3"};
constexpr std::string_view cache_stores[] = {"memory", "redis"};
constexpr std::string_view store_failures[] = {"local_share", "allow", "deny"};
constexpr std::string_view rotate_intervals[] = {"none", "5min", "10min", "30min", "hourly", "daily", "weekly"};

#define MEMBER(path) [](LunardConfig& config) -> auto& { return config.path; }
#define ENUM_MEMBER(path) [](LunardConfig& config) -> uint8_t& { return reinterpret_cast<uint8_t&>(config.path); }

std::vector<Option> process_options() {
  return {
      {"config_dir",
       TextOption{MEMBER(config_dir), "DIR"},
       "/etc/lunar",
       "directory of all configuration",
       {{"LUNAR_PROXY_CONFIG_DIR", variable::same}, {"LUNAR_CONFIG_DIR", variable::same}},
       OptionScope::process},
      {"managed",
       FlagOption{MEMBER(managed)},
       "false",
       "what /handshake answers",
       {{"LUNAR_MANAGED", variable::same}},
       OptionScope::environment},
      {"own_traces_endpoint",
       TextOption{MEMBER(own_traces_endpoint), "URL"},
       "",
       "where traces of the gateway itself go; empty: nowhere",
       {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", variable::same}},
       OptionScope::environment},
      {"instance_id",
       TextOption{MEMBER(instance_id), "NAME"},
       "",
       "name of this instance; empty: gateway- and 12 random characters",
       {{"GATEWAY_INSTANCE_ID", variable::same}}},
      {"tenant", TextOption{MEMBER(tenant), "NAME"}, "", "name of the tenant", {{"TENANT_NAME", variable::same}}},
      {"log.level",
       ChoiceOption{ENUM_MEMBER(log_level), log_levels},
       "info",
       "how much is logged",
       {{"LOG_LEVEL", variable::lower_case}}},
      {"workers", AutoIntegerOption{MEMBER(workers), 1, 64}, "auto",
       "data-path threads; auto: one per CPU that the process may use"},
      {"max_connections",
       IntegerOption{MEMBER(max_connections), 16, any_number},
       "65536",
       "connections that may be open at once",
       {{"LUNAR_MAXCONN", variable::same}}},
      {"query_params_mode",
       FlagOption{MEMBER(query_params_mode)},
       "false",
       "take the destination from query parameters instead of x-lunar-host",
       {{"LUNAR_REDIRECTION_BY_QUERY_PARAMS", variable::same}}},
      {"shutdown_grace", DurationOption{MEMBER(shutdown_grace), 0s, 1h}, "30s",
       "how long open transactions may go on after a stop was asked for"},
      {"backups",
       IntegerOption{MEMBER(backups), 0, 1000},
       "10",
       "configuration backups that are kept",
       {{"LUNAR_LUNAR_PROXY_CONFIG_MAX_BACKUPS", variable::same}}},
  };
}

std::vector<Option> listener_options() {
  return {
      {"listeners.proxy",
       ListenerOption{MEMBER(listeners.proxy)},
       "127.0.0.1:8000",
       "explicit proxy: header, forward and query mode",
       {{"BIND_PORT", variable::port}}},
      {"listeners.health",
       ListenerOption{MEMBER(listeners.health)},
       "127.0.0.1:8040",
       "health endpoints",
       {{"LUNAR_HEALTHCHECK_PORT", variable::port}}},
      {"listeners.admin",
       ListenerOption{MEMBER(listeners.admin)},
       "127.0.0.1:8081",
       "control API over TCP",
       {{"ENGINE_ADMIN_PORT", variable::port}}},
      {"listeners.metrics",
       ListenerOption{MEMBER(listeners.metrics)},
       "127.0.0.1:3000",
       "Prometheus metrics",
       {{"METRICS_LISTEN_PORT", variable::port}}},
      {"listeners.tls", ListenerOption{MEMBER(listeners.tls)}, "127.0.0.1:443",
       "explicit proxy over TLS; opened only if the certificate exists"},
      {"listeners.tls_certificate",
       TextOption{MEMBER(listeners.tls_certificate), "PATH"},
       "certs/tls/gateway_cert.pem",
       "certificate chain and key of listeners.tls",
       {{"TLS_CERT_PATH", variable::same}},
       OptionScope::environment},
      {"listeners.connect",
       ListenerOption{MEMBER(listeners.connect)},
       "off",
       "explicit proxy for CONNECT only",
       {{"TLS_PASSTHROUGH_ON", variable::connect_switch}, {"TLS_PASSTHROUGH_PORT", variable::port_if_on}}},
      {"control.socket", TextOption{MEMBER(control.socket), "PATH"}, "/run/lunar/lunard.sock",
       "unix socket of the control API"},
      {"control.group", TextOption{MEMBER(control.group), "GROUP"}, "lunar", "group that may use the control socket"},
      {"admin.api_key_file", TextOption{MEMBER(admin.api_key_file), "PATH"}, "",
       "file with the key of the control API over TCP"},
      {.path = "admin.api_key",
       .type = TextOption{MEMBER(admin.api_key), "KEY"},
       .fallback = "",
       .help = "key of the control API over TCP, and of the hub",
       .variables = {{"LUNAR_API_KEY", variable::same}},
       .scope = OptionScope::environment,
       .secret = true},
  };
}

std::vector<Option> traffic_options() {
  return {
      {"timeouts.connect",
       DurationOption{MEMBER(timeouts.connect), 1s, 1h},
       "50s",
       "connecting to a provider",
       {{"LUNAR_CONNECT_TIMEOUT_SEC", variable::seconds}}},
      {"timeouts.client",
       DurationOption{MEMBER(timeouts.client), 1s, 1h},
       "50s",
       "silence of a client of the explicit modes",
       {{"LUNAR_CLIENT_TIMEOUT_SEC", variable::seconds}}},
      {"timeouts.server",
       DurationOption{MEMBER(timeouts.server), 1s, 1h},
       "50s",
       "silence of a provider in the explicit modes",
       {{"LUNAR_SERVER_TIMEOUT_SEC", variable::seconds}}},
      {"capture.enabled", FlagOption{MEMBER(capture.enabled)}, "true", "redirect connections of attached programs"},
      {"capture.required", FlagOption{MEMBER(capture.required)}, "false",
       "refuse to start where connections cannot be redirected"},
      {"capture.allow_list",
       ListOption{MEMBER(capture.allow_list)},
       "",
       "hosts, addresses and ranges whose traffic goes through flows; empty: all",
       {{"LUNAR_ALLOW_LIST", variable::same}}},
      {"capture.block_list",
       ListOption{MEMBER(capture.block_list)},
       "",
       "hosts, addresses and ranges whose traffic is relayed without flows",
       {{"LUNAR_BLOCK_LIST", variable::same}}},
      {"capture.include_loopback", FlagOption{MEMBER(capture.include_loopback)}, "false",
       "capture connections to loopback too, for test suites on one machine"},
      {"capture.quic", ChoiceOption{ENUM_MEMBER(capture.quic), quic_modes}, "bypass",
       "UDP port 443 of attached programs: let through, or refuse so that they use TCP"},
      {"failsafe.heartbeat_deadline", DurationOption{MEMBER(failsafe.heartbeat_deadline), 50ms, 10s}, "250ms",
       "age of the heartbeat at which new connections go direct"},
      {"failsafe.probe_interval", DurationOption{MEMBER(failsafe.probe_interval), 10ms, 10s}, "100ms",
       "period of the probe through the data path; below heartbeat_deadline"},
      {"failsafe.enter_after",
       IntegerOption{MEMBER(failsafe.enter_after), 1, 1000},
       "5",
       "consecutive failed probes that lead to cooldown",
       {{"LUNAR_ENTER_COOLDOWN_AFTER_ATTEMPTS", variable::same}}},
      {"failsafe.exit_after",
       DurationOption{MEMBER(failsafe.exit_after), 0s, 1h},
       "10s",
       "uninterrupted health that ends cooldown",
       {{"LUNAR_EXIT_COOLDOWN_AFTER_SEC", variable::seconds}}},
      {"failsafe.max_pending_accepts", IntegerOption{MEMBER(failsafe.max_pending_accepts), 1, 65535}, "512",
       "redirected connections waiting to be accepted, above which new ones go direct"},
  };
}

std::vector<Option> tls_options() {
  return {
      {"tls.intercept", ListOption{MEMBER(tls.intercept)}, "",
       "TLS connections that are opened, each HOST[:PORT] [unit=NAME]; empty: none"},
      {"tls.passthrough", ListOption{MEMBER(tls.passthrough)}, "",
       "TLS connections that are never opened, in the same form; wins over tls.intercept"},
      {"tls.ca_dir", TextOption{MEMBER(tls.ca_dir), "DIR"}, "",
       "directory of the local authority; empty: ca in state.dir"},
      {"tls.leaf_lifetime", DurationOption{MEMBER(tls.leaf_lifetime), 1h, 168h}, "168h",
       "how long a minted certificate is valid"},
      {"tls.leaf_cache", IntegerOption{MEMBER(tls.leaf_cache), 16, 100'000}, "1000",
       "minted certificates that are kept in memory"},
      {"tls.session_cache", IntegerOption{MEMBER(tls.session_cache), 0, 100'000}, "1024",
       "providers whose TLS sessions are kept to be resumed; 0: none"},
      {"tls.min_version", ChoiceOption{ENUM_MEMBER(tls.min_version), tls_versions}, "1.2",
       "lowest version of TLS with clients whose connections are opened"},
      {"tls.untrusted_for", DurationOption{MEMBER(tls.untrusted_for), 1s, 24h}, "1h",
       "how long a client that refused the gateway's certificate is passed through"},
      {"tls.handshake_timeout", DurationOption{MEMBER(tls.handshake_timeout), 1s, 1min}, "10s",
       "how long a TLS handshake may take"},
  };
}

std::vector<Option> flow_options() {
  return {
      {"flows.body_limit",
       SizeOption{MEMBER(flows.body_limit), 0, 64ULL << 20},
       "1MiB",
       "largest body that flows look into",
       {{"GATEWAY_BUFFER_SIZE", variable::same}}},
      {"flows.body_wait", DurationOption{MEMBER(flows.body_wait), 100ms, 10min}, "10s",
       "how long a body is awaited that flows look into"},
      {"flows.processing_timeout",
       AutoDurationOption{MEMBER(flows.processing_timeout), 1s, 1h},
       "auto",
       "time that flows may take for one request",
       {{"LUNAR_SPOE_PROCESSING_TIMEOUT_SEC", variable::seconds}}},
      {"flows.retry_timeout",
       DurationOption{MEMBER(flows.retry_timeout), 1s, 24h},
       "100s",
       "time that all attempts of one request may take",
       {{"LUNAR_RETRY_REQUEST_TIMEOUT_SEC", variable::seconds}}},
      {"flows.concurrent_poll",
       DurationOption{MEMBER(flows.concurrent_poll), 10ms, 10s},
       "600ms",
       "period at which waiting concurrent requests are looked at",
       {{"CONCURRENT_STRATEGY_RESET_INTERVAL", variable::milliseconds}}},
      {"cache.store", ChoiceOption{ENUM_MEMBER(cache_store), cache_stores}, "memory", "where cached answers are kept"},
      {"discovery.tree_refresh",
       DurationOption{MEMBER(discovery_tree_refresh), 1s, 1h},
       "5m",
       "period at which known URL shapes are recomputed",
       {{"LUNAR_AGGREGATION_TREE_REFRESH_SECS", variable::seconds}}},
  };
}

std::vector<Option> store_options() {
  return {
      {"state.dir", TextOption{MEMBER(state.dir), "DIR"}, "/var/lib/lunar", "directory for what survives a restart"},
      {"state.snapshot_interval", DurationOption{MEMBER(state.snapshot_interval), 1s, 10min}, "10s",
       "period at which counters are written to disk"},
      {.path = "redis.url",
       .type = TextOption{MEMBER(redis.url), "URL"},
       .fallback = "",
       .help = "redis[s]://[user:pass@]host:port[/db]; empty: state stays in this instance",
       .variables = {{"REDIS_URL", variable::same}},
       .secret = true},
      {"redis.cluster",
       FlagOption{MEMBER(redis.cluster)},
       "false",
       "the URL names a member of a cluster",
       {{"REDIS_USE_CLUSTER", variable::same}}},
      {"redis.prefix",
       TextOption{MEMBER(redis.prefix), "TEXT"},
       "lunar",
       "beginning of all keys",
       {{"REDIS_PREFIX", variable::same}}},
      {"redis.timeout", DurationOption{MEMBER(redis.timeout), 1ms, 1s}, "50ms", "how long an answer is awaited"},
      {"redis.on_store_failure", ChoiceOption{ENUM_MEMBER(redis.on_store_failure), store_failures}, "local_share",
       "what quotas do while the store is away"},
      {"redis.ca",
       TextOption{MEMBER(redis.ca), "PATH"},
       "",
       "certificates that the store's is verified against",
       {{"REDIS_USE_CA_CERT", variable::redis_ca}}},
      {"redis.cert",
       TextOption{MEMBER(redis.cert), "PATH"},
       "",
       "client certificate for the store",
       {{"REDIS_USE_CLIENT_CERT", variable::redis_cert}}},
      {"redis.key",
       TextOption{MEMBER(redis.key), "PATH"},
       "",
       "key of the client certificate",
       {{"REDIS_USE_CLIENT_CERT", variable::redis_key}}},
      {"redis.beat",
       DurationOption{MEMBER(redis.beat), 100ms, 1h},
       "5s",
       "period at which an instance tells the others that it lives",
       {{"LUNAR_CLUSTER_LIVENESS_UPDATED_PERIOD_IN_SEC", variable::seconds}}},
      {"redis.stale_after",
       DurationOption{MEMBER(redis.stale_after), 100ms, 24h},
       "2m",
       "silence after which an instance counts as gone; above redis.beat",
       {{"LUNAR_CLUSTER_STALE_THRESHOLD_PERIOD_IN_SEC", variable::seconds}}},
  };
}

std::vector<Option> report_options() {
  return {
      {"access_log.path", TextOption{MEMBER(access_log.path), "PATH", true}, "/var/log/lunar/access.log",
       "file of the access log"},
      {"access_log.rotate_size",
       SizeOption{MEMBER(access_log.rotate_size), 4096, any_size},
       "10MiB",
       "size at which a new file begins",
       {{"LOG_ROTATE_SIZE", variable::same}}},
      {"access_log.rotate_interval",
       ChoiceOption{ENUM_MEMBER(access_log.rotate_interval), rotate_intervals},
       "none",
       "time at which a new file begins",
       {{"LOG_ROTATE_INTERVAL", variable::lower_case}}},
      {"access_log.retain",
       IntegerOption{MEMBER(access_log.retain), 0, 100'000},
       "3",
       "rotated files that are kept",
       {{"LOG_ROTATE_RETAIN", variable::same}}},
      {"exporters.flush",
       DurationOption{MEMBER(exporters_flush), 0s, 5min},
       "10s",
       "longest time that exported entries wait in memory",
       {{"LUNAR_FLUSH_SECONDS", variable::seconds}}},
  };
}

std::vector<Option> hub_options() {
  return {
      {"hub.url",
       TextOption{MEMBER(hub.url), "URL"},
       "",
       "hub to which this instance reports; empty: none",
       {{"LUNAR_HUB_URL", variable::same}}},
      {"hub.api_key_file", TextOption{MEMBER(hub.api_key_file), "PATH"}, "", "file with the key for the hub"},
      {"hub.report_interval",
       DurationOption{MEMBER(hub.report_interval), 1s, 1h},
       "15s",
       "period of discovery reports to the hub",
       {{"HUB_REPORT_INTERVAL", variable::seconds}}},
      {"hub.metrics_interval",
       DurationOption{MEMBER(hub.metrics_interval), 1s, 1h},
       "15s",
       "period of metrics reports to the hub",
       {{"HUB_METRICS_REPORT_INTERVAL", variable::seconds}}},
      {"hub.initial_wait",
       DurationOption{MEMBER(hub.initial_wait), 1s, 1h},
       "5s",
       "wait after the first failed connect",
       {{"LUNAR_HUB_INITIAL_WAIT_TIME_BETWEEN_CONNECTION_ATTEMPTS_SEC", variable::seconds}},
       OptionScope::environment},
      {"hub.max_wait",
       DurationOption{MEMBER(hub.max_wait), 1s, 24h},
       "10m",
       "longest wait between connects",
       {{"LUNAR_HUB_MAX_WAIT_TIME_BETWEEN_CONNECTION_ATTEMPTS_SEC", variable::seconds}},
       OptionScope::environment},
      {"hub.attempts_per_wait",
       IntegerOption{MEMBER(hub.attempts_per_wait), 1, 1000},
       "5",
       "connects before the wait grows",
       {{"LUNAR_HUB_CONNECTION_ATTEMPTS_PER_WAIT_TIME", variable::same}},
       OptionScope::environment},
      {"hub.exponential_growth",
       FlagOption{MEMBER(hub.exponential_growth)},
       "true",
       "whether waits double",
       {{"LUNAR_HUB_CONNECTION_ATTEMPTS_WAIT_TIME_EXPONENTIAL_GROWTH", variable::same}},
       OptionScope::environment},
  };
}

#undef MEMBER
#undef ENUM_MEMBER

std::vector<Option> whole_table() {
  std::vector<Option> out;
  for (auto group : {process_options, listener_options, traffic_options, tls_options, flow_options, store_options,
                     report_options, hub_options})
    for (Option& option : group()) out.push_back(std::move(option));
  return out;
}

}  // namespace

std::span<const Option> option_table() {
  static const std::vector<Option> table = whole_table();
  return table;
}

}  // namespace lunar
