// A configuration root as it lies on the disk (flows.md §1.1), and as it travels from the supervisor to a gateway.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "flowengine/compile/compiler.h"
#include "flowengine/result.h"

namespace lunar {

// Reads every file of the root that compile() looks at. What cannot be read becomes a finding, and the file is left
// out; an error is a root that is no folder.
struct ConfigFolder {
  Sources sources;
  Diagnostics unreadable;
};
[[nodiscard]] Result<ConfigFolder> read_config_folder(const std::string& root);

// Paths of what the loader takes for YAML files in a folder of the root: no hidden ones, links followed.
using UnreadableFolder = std::function<void(const std::string& path, const char* why)>;
[[nodiscard]] std::set<std::string> yaml_files(const std::string& root, const std::string& folder, bool recursive,
                                               const UnreadableFolder& unreadable = {});

// The variables of `environment` that a text of the sources names as `$NAME`: no other one leaves the supervisor.
using EnvironmentVariables = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] EnvironmentVariables named_variables(const Sources& sources, const EnvironmentVariables& environment);

// What a gateway compiles.
struct ConfigBundle {
  Sources sources;
  EnvironmentVariables environment;
  Diagnostics unreadable;
};
[[nodiscard]] nlohmann::json to_json(const ConfigBundle& bundle);
[[nodiscard]] Result<ConfigBundle> config_bundle_from_json(const nlohmann::json& json);

}  // namespace lunar
