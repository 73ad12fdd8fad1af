// What the supervisor tells a new gateway process in its first message. File descriptors travel beside it, in this
// order: one for each of `listeners`, one for each of `maps`, then the asking end of a program lookup if
// `program_lookup`, then the asking end for leaf certificates if `minting`.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/config/lunard_config.h"
#include "flowengine/result.h"

namespace lunar {

enum class ListenerRole : uint8_t { worker, proxy, connect, tls, health, admin, metrics, internal_control };
[[nodiscard]] std::string_view listener_role_name(ListenerRole role);

struct ListenerDescriptor {
  ListenerRole role{};
  uint32_t worker = 0;              // of the worker, proxy, connect and tls listeners
  std::optional<Endpoint> address;  // none: a unix socket
  bool operator==(const ListenerDescriptor&) const = default;
};

// Names of the maps that may be handed over.
namespace map_name {
inline constexpr std::string_view origins = "origins";
inline constexpr std::string_view own_sockets = "own_sockets";
inline constexpr std::string_view unreachable = "unreachable";
inline constexpr std::string_view heartbeats = "heartbeats";
}  // namespace map_name

struct GatewayStart {
  LunardConfig config;
  std::string version;
  std::string instance_id;
  uint32_t workers = 1;  // the number decided by the supervisor
  std::vector<ListenerDescriptor> listeners;
  std::vector<std::string> maps;
  bool program_lookup = false;  // see agent/redirect/program_lookup.h
  bool minting = false;         // see agent/net/minting.h

  [[nodiscard]] size_t fd_count() const {
    return listeners.size() + maps.size() + (program_lookup ? 1 : 0) + (minting ? 1 : 0);
  }
  // Positions among the descriptors.
  [[nodiscard]] std::optional<size_t> map_position(std::string_view name) const;
  [[nodiscard]] std::optional<size_t> program_lookup_position() const;
  [[nodiscard]] std::optional<size_t> minting_position() const;
};

// {"type":"start", ...}; from_json refuses what it does not understand.
[[nodiscard]] nlohmann::json to_json(const GatewayStart& start);
[[nodiscard]] Result<GatewayStart> gateway_start_from_json(const nlohmann::json& message);

// The listeners alone, for the message "listeners".
[[nodiscard]] nlohmann::json to_json(const std::vector<ListenerDescriptor>& listeners);
[[nodiscard]] Result<std::vector<ListenerDescriptor>> listeners_from_json(const nlohmann::json& list);

}  // namespace lunar
