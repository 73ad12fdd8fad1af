// The files of a configuration root, read and replaced.
#pragma once

#include <set>
#include <string>

#include "agent/config/config_change.h"
#include "flowengine/result.h"

namespace lunar {

// Paths below the root that belong to the part and are there.
[[nodiscard]] std::set<std::string> paths_of(const std::string& root, ConfigPart part);

// Reads all parts.
[[nodiscard]] Result<ConfigChange> read_parts(const std::string& root);

// Makes the root so, and writes only what differs. Done twice it is done once: it may be ended at any point and begun
// anew. `begun`: set when the first visible file has changed.
[[nodiscard]] Result<> write_parts(const std::string& root, const ConfigChange& change, bool& begun);

// With those above it; mode 0755.
[[nodiscard]] Result<> make_folder(const std::string& path);

}  // namespace lunar
