// The cgroup that `lunarctl run` makes for its command, below that of the caller: so limits and accounting of the
// caller's session or unit go on to hold.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar::cli {

// Mount point of the cgroup2 hierarchy in a mountinfo text; empty if there is none. Pure.
[[nodiscard]] std::string cgroup2_mount(std::string_view mountinfo);
// The own path in the cgroup2 hierarchy in the text of /proc/self/cgroup; empty if there is none. Pure.
[[nodiscard]] std::string cgroup2_path(std::string_view cgroups);

class OwnCgroup {
 public:
  [[nodiscard]] static Result<std::unique_ptr<OwnCgroup>> create();
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;
  // Moves what still runs in it back to the caller's cgroup, and removes it.
  ~OwnCgroup();

  [[nodiscard]] const std::string& path() const { return path_; }  // in the file system
  [[nodiscard]] Result<> add(pid_t process) const;

 private:
  OwnCgroup(std::string parent, std::string path) : parent_(std::move(parent)), path_(std::move(path)) {}
  std::string parent_;
  std::string path_;
};

}  // namespace lunar::cli
