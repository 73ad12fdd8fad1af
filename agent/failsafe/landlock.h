// The part of the file tree that a process can still see (Landlock, Linux 5.13).
#pragma once

#include <string>
#include <vector>

#include "flowengine/result.h"

namespace lunar {

struct FileView {
  std::vector<std::string> read;   // directories or files; those that do not exist are left out
  std::vector<std::string> write;  // also: create, rename and remove regular files in it
};

// For the calling thread and everything it starts, for good. False: this kernel has no Landlock.
[[nodiscard]] Result<bool> confine_files(const FileView& view);

}  // namespace lunar
