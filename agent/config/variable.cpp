#include "agent/config/variable.h"

#include <algorithm>
#include <array>

namespace lunar::variable {
namespace {

constexpr std::string_view loopback = "127.0.0.1";

constexpr auto ignored_names = std::to_array<std::string_view>({
    "LUNAR_STREAMS_ENABLED",
    "LUNAR_TELEMETRY",
    "LUNAR_ENGINE_FAILSAFE_ENABLED",
    "LUNAR_SPOE_HELLO_TIMEOUT_MS",
    "TIKTOKEN_CACHE_DIR",
    "HAPROXY_MANAGE_ENDPOINTS_PORT",
    "LUNAR_CONCURRENT_REQUEST_EXPIRATION_SEC",
    "LUNAR_ACCESS_LOGS_OUTPUT",
});
constexpr auto ignored_prefixes =
    std::to_array<std::string_view>({"DIAGNOSIS_FAILSAFE_", "REDIS_MAX_", "REDIS_RETRY_", "ASYNC_SERVICE_"});

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return out;
}

Translated with_unit(std::string_view value, std::string_view unit, std::string_view name) {
  if (!is_number(value))
    return fail("expected a number of " + std::string(name) + ", found \"" + std::string(value) + "\"");
  return std::string(value) + std::string(unit);
}

std::optional<bool> to_switch(std::string_view value) {
  std::string word = lowered(value);
  if (word == "1" || word == "true" || word == "yes" || word == "on") return true;
  if (word == "0" || word == "false" || word == "no" || word == "off") return false;
  return std::nullopt;
}

Translated file_if(std::string_view value, std::string_view path) {
  auto wanted = to_switch(value);
  if (!wanted) return fail("expected true or false, found \"" + std::string(value) + "\"");
  return *wanted ? std::optional(std::string(path)) : std::nullopt;
}

}  // namespace

Translated same(std::string_view value, std::string_view) { return std::string(value); }
Translated lower_case(std::string_view value, std::string_view) { return lowered(value); }
Translated seconds(std::string_view value, std::string_view) { return with_unit(value, "s", "seconds"); }
Translated milliseconds(std::string_view value, std::string_view) { return with_unit(value, "ms", "milliseconds"); }

Translated port(std::string_view value, std::string_view current) {
  if (!is_number(value)) return fail("expected a port, found \"" + std::string(value) + "\"");
  std::string_view address = current == "off" ? loopback : current.substr(0, current.rfind(':'));
  return std::string(address) + ":" + std::string(value);
}

Translated port_if_on(std::string_view value, std::string_view current) {
  if (current == "off") return std::nullopt;
  return port(value, current);
}

Translated connect_switch(std::string_view value, std::string_view current) {
  auto on = to_switch(value);
  if (!on) return fail("expected true or false, found \"" + std::string(value) + "\"");
  if (!*on) return "off";
  return current == "off" ? std::optional<std::string>("127.0.0.1:8001") : std::nullopt;
}

Translated redis_ca(std::string_view value, std::string_view) { return file_if(value, "/etc/redis/ca.crt"); }
Translated redis_cert(std::string_view value, std::string_view) { return file_if(value, "/etc/redis/client.crt"); }
Translated redis_key(std::string_view value, std::string_view) { return file_if(value, "/etc/redis/client.key"); }

std::vector<std::string> without_effect(const Environment& environment) {
  std::vector<std::string> out;
  for (const auto& [name, value] : environment) {
    bool known =
        std::ranges::find(ignored_names, name) != ignored_names.end() ||
        std::ranges::any_of(ignored_prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
    if (known) out.push_back(name);
  }
  return out;
}

}  // namespace lunar::variable
