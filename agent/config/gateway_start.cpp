#include "agent/config/gateway_start.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/config/option.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr std::string_view role_names[] = {"worker", "proxy", "connect", "tls",
                                           "health", "admin", "metrics", "internal_control"};

// Every setting by its path, in the spelling of lunard.yaml: the option table reads and writes both sides.
json settings_of(const LunardConfig& config) {
  json out = json::object();
  for (const Option& option : option_table()) out[std::string(option.path)] = option_value(option, config);
  return out;
}

Result<LunardConfig> config_from(const json& settings) {
  LunardConfig config = default_config();
  for (const auto& [path, text] : settings.items()) {
    const Option* option = find_option(path);
    if (option == nullptr) return fail("start message: unknown setting " + path);
    auto set = set_option(*option, text.get<std::string>(), config);
    if (!set) return fail("start message: " + path + ": " + set.error().text);
  }
  return config;
}

Result<ListenerDescriptor> listener_from(const json& entry) {
  auto role = std::ranges::find(role_names, entry.at("role").get<std::string>());
  if (role == std::end(role_names)) return fail("unknown listener role");
  ListenerDescriptor out{static_cast<ListenerRole>(role - std::begin(role_names)), entry.at("worker").get<uint32_t>(),
                         std::nullopt};
  if (!entry.contains("address")) return out;
  out.address = Endpoint::parse(entry.at("address").get<std::string>());
  return out.address ? Result<ListenerDescriptor>(out) : fail("unreadable listener address");
}

Result<GatewayStart> read_start(const json& message) {
  if (message.at("type").get<std::string>() != "start") return fail("not a start message");
  auto config = config_from(message.at("settings"));
  if (!config) return std::unexpected(config.error());
  auto listeners = listeners_from_json(message.at("listeners"));
  if (!listeners) return std::unexpected(listeners.error());
  GatewayStart out;
  out.config = *std::move(config);
  out.version = message.at("version").get<std::string>();
  out.instance_id = message.at("instance_id").get<std::string>();
  out.workers = message.at("workers").get<uint32_t>();
  out.listeners = *std::move(listeners);
  out.maps = message.at("maps").get<std::vector<std::string>>();
  out.program_lookup = message.at("program_lookup").get<bool>();
  out.minting = message.at("minting").get<bool>();
  return out;
}

}  // namespace

std::string_view listener_role_name(ListenerRole role) { return role_names[static_cast<size_t>(role)]; }

std::optional<size_t> GatewayStart::map_position(std::string_view name) const {
  auto found = std::ranges::find(maps, name);
  if (found == maps.end()) return std::nullopt;
  return listeners.size() + static_cast<size_t>(found - maps.begin());
}

std::optional<size_t> GatewayStart::program_lookup_position() const {
  return program_lookup ? std::optional(listeners.size() + maps.size()) : std::nullopt;
}

std::optional<size_t> GatewayStart::minting_position() const {
  return minting ? std::optional(fd_count() - 1) : std::nullopt;
}

json to_json(const std::vector<ListenerDescriptor>& listeners) {
  json out = json::array();
  for (const ListenerDescriptor& listener : listeners) {
    json entry{{"role", listener_role_name(listener.role)}, {"worker", listener.worker}};
    if (listener.address) entry["address"] = listener.address->text();
    out.push_back(std::move(entry));
  }
  return out;
}

Result<std::vector<ListenerDescriptor>> listeners_from_json(const json& list) {
  std::vector<ListenerDescriptor> out;
  try {
    for (const json& entry : list) {
      auto listener = listener_from(entry);
      if (!listener) return std::unexpected(listener.error());
      out.push_back(*listener);
    }
  } catch (const json::exception& error) {
    return fail("unreadable list of listeners: " + std::string(error.what()));
  }
  return out;
}

json to_json(const GatewayStart& start) {
  return {{"type", "start"},
          {"version", start.version},
          {"instance_id", start.instance_id},
          {"workers", start.workers},
          {"settings", settings_of(start.config)},
          {"listeners", to_json(start.listeners)},
          {"maps", start.maps},
          {"program_lookup", start.program_lookup},
          {"minting", start.minting}};
}

Result<GatewayStart> gateway_start_from_json(const json& message) {
  try {
    return read_start(message);
  } catch (const json::exception& error) {
    return fail("unreadable start message: " + std::string(error.what()));
  }
}

}  // namespace lunar
