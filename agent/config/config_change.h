// What the control API asks of a configuration root (gateway.md §8), as values. No I/O.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/config_folder.h"
#include "flowengine/result.h"

namespace lunar {

enum class ConfigPart : uint8_t { flows, quotas, path_params, gateway_config, metrics };

inline constexpr std::array config_parts{ConfigPart::flows, ConfigPart::quotas, ConfigPart::path_params,
                                         ConfigPart::gateway_config, ConfigPart::metrics};

[[nodiscard]] std::string_view part_name(ConfigPart part);  // also the member of payloads
// A folder of many files; else one file, at part_path().
[[nodiscard]] bool is_folder(ConfigPart part);
[[nodiscard]] std::string part_path(ConfigPart part);

struct ConfigFile {
  std::string text;
  uint32_t mode = 0644;
  bool operator==(const ConfigFile&) const = default;
};
using ConfigFiles = std::map<std::string, ConfigFile>;  // by path below the root

// Each part that is named gets exactly these files; the others stay as they are.
struct ConfigChange {
  std::map<ConfigPart, ConfigFiles> parts;
  bool operator==(const ConfigChange&) const = default;
};

struct ConfigOperation {
  enum class Kind : uint8_t { get, init, update, remove, restore };
  Kind kind{};
  ConfigChange change;                                      // update, and remove of whole parts
  std::vector<std::pair<ConfigPart, std::string>> removed;  // remove: paths of single files
  std::string checkpoint;                                   // restore
};

// The body of /apply_flows and of /validate_flows.
[[nodiscard]] Result<ConfigChange> config_change_from(std::string_view body);
// The body of /configuration.
[[nodiscard]] Result<ConfigOperation> config_operation_from(std::string_view body);

// Members as in a payload, with base64.
[[nodiscard]] nlohmann::json payload_of(const ConfigChange& change);

// The folder as it would be.
void overlay(ConfigFolder& folder, const ConfigChange& change);

}  // namespace lunar
