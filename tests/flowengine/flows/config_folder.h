// Configuration roots of tests/data, read from disk.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "flowengine/compile/compiler.h"

namespace lunar {

struct ConfigFolder {
  Sources sources;
  CompileOptions options;         // timeouts of lunard.yaml, and what the file `environment` sets
  std::vector<SourceFile> cases;  // tests/*.yaml: example transactions
  std::string expected;           // every finding, one a line, in the file of this name
};

[[nodiscard]] ConfigFolder read_config_folder(const std::filesystem::path& root);
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path);
// In byte order of their names, without those that are hidden.
[[nodiscard]] std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);
[[nodiscard]] std::string printed(const Diagnostics& findings);

// tests/data of this source tree.
[[nodiscard]] std::filesystem::path test_data();

}  // namespace lunar
