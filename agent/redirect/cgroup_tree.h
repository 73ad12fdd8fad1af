// The directories of cgroup2, kept current by inotify.
#pragma once

#include <sys/inotify.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar {

struct CgroupChange {
  enum class Kind { created, removed, population };
  Kind kind;
  std::string path;  // below the mount
};

class CgroupTree {
 public:
  [[nodiscard]] static Result<CgroupTree> watch(std::string mount);

  [[nodiscard]] int fd() const { return inotify_.get(); }
  // What happened since the last call, in order; `created` may come again for one that is known. A lost event makes it
  // compare the whole tree.
  [[nodiscard]] std::vector<CgroupChange> read();

  // Compares the whole tree when some directories could not be watched (fs.inotify.max_user_watches).
  [[nodiscard]] std::vector<CgroupChange> catch_up();

  [[nodiscard]] const std::set<std::string>& paths() const { return paths_; }
  [[nodiscard]] std::string directory(const std::string& path) const { return mount_ + path; }
  // Reports changes of "populated" for this cgroup from now on, until it is removed.
  void watch_population(const std::string& path);

 private:
  explicit CgroupTree(std::string mount, Fd inotify) : mount_(std::move(mount)), inotify_(std::move(inotify)) {}
  void take(const inotify_event& event, std::vector<CgroupChange>& changes);
  void add(const std::string& path, std::vector<CgroupChange>& changes);
  void remove(const std::string& path, std::vector<CgroupChange>& changes);
  void rescan(std::vector<CgroupChange>& changes);

  struct Watched {
    std::string path;
    bool population;  // the file cgroup.events, not the directory
  };
  std::string mount_;
  Fd inotify_;
  std::map<int, Watched> watches_;
  bool incomplete_ = false;
  std::set<std::string> paths_;  // "/" is the root
};

}  // namespace lunar
