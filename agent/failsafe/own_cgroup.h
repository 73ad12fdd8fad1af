// The cgroup that holds lunard and its gateways and nobody else: what happens in it is never redirected.
#pragma once

#include <string>

#include "flowengine/result.h"

namespace lunar {

class OwnCgroup {
 public:
  // As a service the unit's cgroup is ours already. Started by hand, we move into a new one below the one that we share
  // with the caller; it goes with us. Before any listener is opened and any thread started.
  [[nodiscard]] static Result<OwnCgroup> enter();
  OwnCgroup(OwnCgroup&& other) noexcept
      : mount_(std::move(other.mount_)), path_(std::move(other.path_)), parent_(std::move(other.parent_)) {
    other.parent_.clear();
  }
  OwnCgroup& operator=(OwnCgroup&&) = delete;
  ~OwnCgroup();  // moves back and removes it

  [[nodiscard]] const std::string& mount() const { return mount_; }  // of cgroup2
  [[nodiscard]] const std::string& path() const { return path_; }    // below the mount
  [[nodiscard]] std::string directory() const { return mount_ + path_; }

 private:
  OwnCgroup(std::string mount, std::string path) : mount_(std::move(mount)), path_(std::move(path)) {}

  std::string mount_, path_;
  std::string parent_;  // directory that we came from; empty: we did not move
};

}  // namespace lunar
