#include "agent/config/checks.h"

#include <algorithm>

#include "agent/config/tls_modes.h"
#include "flowengine/quantity.h"
#include "flowengine/uri.h"

namespace lunar {
namespace {

// redis[s]://[user:pass@]host:port[/db]
bool is_redis_url(std::string_view url) {
  size_t scheme = url.find("://");
  std::string_view name = url.substr(0, scheme);
  if (scheme == std::string_view::npos || (name != "redis" && name != "rediss")) return false;
  std::string_view rest = url.substr(scheme + 3);
  if (size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  size_t slash = rest.find('/');
  auto authority = parse_authority(rest.substr(0, slash));
  std::string_view database = slash == std::string_view::npos ? "0" : rest.substr(slash + 1);
  bool is_number = std::ranges::all_of(database, [](char c) { return c >= '0' && c <= '9'; });
  return authority && authority->port && is_number;
}

// wss://host[:port], ws://host[:port], or a bare host[:port]
bool is_hub_url(std::string_view url) {
  for (std::string_view scheme : {"wss://", "ws://"})
    if (url.starts_with(scheme)) return parse_authority(url.substr(scheme.size())).has_value();
  return parse_authority(url).has_value();
}

void check_tls_rules(const std::vector<std::string>& entries, std::string_view path, std::vector<CheckFinding>& out) {
  for (const std::string& entry : entries)
    if (auto rule = TlsRule::parse(entry); !rule) out.push_back({path, rule.error().text, entry, "bad-type"});
}

}  // namespace

std::vector<CheckFinding> check_config(const LunardConfig& config) {
  std::vector<CheckFinding> out;
  auto require = [&](bool holds, std::string_view path, std::string text) {
    if (!holds) out.push_back({path, std::move(text)});
  };
  const auto& failsafe = config.failsafe;
  require(failsafe.probe_interval < failsafe.heartbeat_deadline, "failsafe.probe_interval",
          duration_text(failsafe.probe_interval) + " is not below failsafe.heartbeat_deadline, which is " +
              duration_text(failsafe.heartbeat_deadline));
  require(config.redis.stale_after > config.redis.beat, "redis.stale_after",
          duration_text(config.redis.stale_after) + " is not above redis.beat, which is " +
              duration_text(config.redis.beat));
  require(config.cache_store != CacheStore::redis || !config.redis.url.empty(), "cache.store",
          "redis needs redis.url, which is not set");
  require(config.redis.url.empty() || is_redis_url(config.redis.url), "redis.url",
          "expected redis[s]://[user:pass@]host:port[/db]");
  require(config.redis.cert.empty() == config.redis.key.empty(), config.redis.cert.empty() ? "redis.key" : "redis.cert",
          "redis.cert and redis.key belong together, and one of them is missing");
  require(config.hub.url.empty() || is_hub_url(config.hub.url), "hub.url",
          "expected wss://host[:port], ws://host[:port] or host[:port]");
  require(config.hub.url.empty() || !config.hub.api_key_file.empty() || !config.admin.api_key.empty(), "hub.url",
          "needs a key in hub.api_key_file or LUNAR_API_KEY");
  check_tls_rules(config.tls.intercept, "tls.intercept", out);
  check_tls_rules(config.tls.passthrough, "tls.passthrough", out);
  return out;
}

}  // namespace lunar
