// Files that are either whole or not there, whatever ends the process or the machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar {

// A new file, on the disk when this returns.
[[nodiscard]] Result<> write_durably(const std::string& path, std::string_view text, uint32_t mode);
// The same in two steps through `fresh`, in the same folder as `path`.
[[nodiscard]] Result<> replace_durably(const std::string& path, const std::string& fresh, std::string_view text,
                                       uint32_t mode);
// Names that were added, renamed or removed in a folder.
[[nodiscard]] Result<> sync_folder(const std::string& path);

// The whole content of a regular file and its mode; `limit` in bytes.
struct ReadFile {
  std::string text;
  uint32_t mode = 0;
};
[[nodiscard]] Result<ReadFile> read_whole_file(const std::string& path, size_t limit);

}  // namespace lunar
