// The files of a systemd unit, and our drop-in among them.
#pragma once

#include <string>
#include <vector>

#include "cli/trust_dropin.h"
#include "cli/trust_tree.h"
#include "flowengine/result.h"

namespace lunar::cli {

[[nodiscard]] std::string dropin_path(const std::string& unit);  // in the tree

// The unit file and its drop-ins in the order in which systemd reads them. Ours is there as `dropin`, and not at all
// where that is empty, whatever is in the file now. Empty: there is no such unit.
[[nodiscard]] std::vector<UnitFile> unit_files(const FileTree& tree, const std::string& unit,
                                               const std::string& dropin = "");

// Variables that files of EnvironmentFile= set, which win over any Environment=.
[[nodiscard]] std::map<std::string, std::string, std::less<>> variables_of_files(const FileTree& tree,
                                                                                 const UnitEnvironment& unit);

// What was there already is not written again: true if something changed.
[[nodiscard]] Result<bool> write_dropin(const FileTree& tree, const std::string& unit, const std::string& text);
[[nodiscard]] Result<bool> remove_dropin(const FileTree& tree, const std::string& unit);

}  // namespace lunar::cli
