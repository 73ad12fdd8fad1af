// The name of something to attach, and which cgroups it stands for; pure.
#pragma once

#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar {

class Target {
 public:
  // A path ("/system.slice/shop.service", also with the mount point in front), or the name of a unit, a container's
  // id or its first 8+ digits, or the name of a machine.
  [[nodiscard]] static Result<Target> parse(std::string_view text, std::string_view cgroup_mount);

  [[nodiscard]] bool matches(std::string_view path) const;  // path below the mount
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  enum class Kind { path, name, container };
  Target(Kind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  Kind kind_;
  std::string text_;
};

}  // namespace lunar
