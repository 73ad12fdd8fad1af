// The settings of lunard.yaml as values. Defaults, ranges, names and help are in the option table (option_table.cpp),
// which also fills this struct: use default_config() where a struct with defaults is wanted.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/endpoint.h"
#include "flowengine/spec/lowest_tls.h"

namespace lunar {

using Milliseconds = std::chrono::milliseconds;

enum class LogLevel : uint8_t { error, warn, info, debug };
enum class QuicCapture : uint8_t { bypass, refuse };
enum class CacheStore : uint8_t { memory, redis };
enum class StoreFailure : uint8_t { local_share, allow, deny };
enum class RotateInterval : uint8_t { none, min5, min10, min30, hourly, daily, weekly };

struct ListenerConfig {  // nullopt: off
  std::optional<Endpoint> proxy, health, admin, metrics, connect;
  std::optional<Endpoint> tls;  // after load: only if tls_certificate exists
  std::string tls_certificate;  // certificate chain and key; relative paths start at config_dir
};

struct ControlConfig {
  std::string socket, group;
};

struct AdminConfig {
  std::string api_key_file;  // empty: none
  std::string api_key;       // the key itself, from the environment only
};

struct TimeoutConfig {
  Milliseconds connect{}, client{}, server{};
};

struct CaptureConfig {
  bool enabled = false, required = false, include_loopback = false;
  QuicCapture quic{};
  std::vector<std::string> allow_list, block_list;  // for agent/config/capture_lists.h
};

struct TlsConfig {
  std::vector<std::string> intercept, passthrough;  // for agent/config/tls_modes.h
  std::string ca_dir;                               // empty: `ca` in state.dir; after load: absolute, never empty
  Milliseconds leaf_lifetime{};
  uint32_t leaf_cache = 0;           // minted certificates
  uint32_t session_cache = 0;        // providers
  LowestTls min_version{};           // of clients whose connections are opened
  Milliseconds untrusted_for{};      // how long a client that refused our certificate is passed through
  Milliseconds handshake_timeout{};  // of either side
};

struct FlowConfig {
  uint64_t body_limit = 0;
  Milliseconds body_wait{}, retry_timeout{}, concurrent_poll{};
  std::optional<Milliseconds> processing_timeout;  // nullopt: auto
};

struct StateConfig {
  std::string dir;
  Milliseconds snapshot_interval{};
};

struct RedisConfig {
  std::string url, prefix, ca, cert, key;  // url empty: not used
  bool cluster = false;
  Milliseconds timeout{}, beat{}, stale_after{};
  StoreFailure on_store_failure{};
};

struct AccessLogConfig {
  std::string path;  // empty: off
  uint64_t rotate_size = 0;
  RotateInterval rotate_interval{};
  uint32_t retain = 0;
};

struct HubConfig {
  std::string url, api_key_file;  // url empty: off
  Milliseconds report_interval{}, metrics_interval{}, initial_wait{}, max_wait{};
  uint32_t attempts_per_wait = 0;
  bool exponential_growth = false;
};

struct FailsafeConfig {
  Milliseconds heartbeat_deadline{}, probe_interval{}, exit_after{};
  uint32_t enter_after = 0, max_pending_accepts = 0;
};

struct LunardConfig {
  std::string config_dir;
  ListenerConfig listeners;
  ControlConfig control;
  AdminConfig admin;
  std::string instance_id, tenant;
  LogLevel log_level{};
  bool query_params_mode = false;
  bool managed = false;  // value of /handshake
  uint32_t max_connections = 0;
  std::optional<uint32_t> workers;  // nullopt: one per CPU of the affinity mask
  TimeoutConfig timeouts;
  Milliseconds shutdown_grace{};
  CaptureConfig capture;
  TlsConfig tls;
  FlowConfig flows;
  CacheStore cache_store{};
  StateConfig state;
  RedisConfig redis;
  AccessLogConfig access_log;
  Milliseconds exporters_flush{}, discovery_tree_refresh{};
  uint32_t backups = 0;
  std::string own_traces_endpoint;  // traces of the gateway itself; empty: off
  HubConfig hub;
  FailsafeConfig failsafe;
};

[[nodiscard]] LunardConfig default_config();

}  // namespace lunar
