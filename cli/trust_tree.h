// The files of a machine, or of what a process takes for one: links are followed inside of its root, as chroot would.
#pragma once

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/result.h"

namespace lunar::cli {

inline constexpr size_t largest_trust_file = 16 * 1024 * 1024;  // far above any bundle of roots

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OpenFile = std::unique_ptr<std::FILE, CloseFile>;

// folder/name
[[nodiscard]] inline std::string below(std::string folder, std::string_view name) {
  folder += '/';
  folder += name;
  return folder;
}

// Every path begins with `/` and is one below the root. Nothing is kept open in between (openat2, Linux 5.6).
class FileTree {
 public:
  explicit FileTree(std::string root = "/") : root_(std::move(root)) {}

  [[nodiscard]] bool is_this_machine() const { return root_ == "/"; }
  [[nodiscard]] std::string outside(const std::string& path) const;  // as this process would open it, links unread

  // Regular files alone: a pipe would hold us up. errno says why there is none.
  [[nodiscard]] OpenFile open(const std::string& path) const;
  [[nodiscard]] Result<std::string> read(const std::string& path, size_t limit = largest_trust_file) const;
  // Sorted; empty where there is no folder or it cannot be read.
  [[nodiscard]] std::vector<std::string> names(const std::string& folder) const;
  // Where a file or folder lies for this process, links followed; nothing if it is not there.
  [[nodiscard]] std::optional<std::string> place(const std::string& path) const;
  [[nodiscard]] bool is_folder(const std::string& path) const;
  [[nodiscard]] std::optional<std::time_t> changed(const std::string& path) const;

 private:
  std::string root_;
};

}  // namespace lunar::cli
