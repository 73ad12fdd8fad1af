#include "agent/redirect/cgroup_tree.h"

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "agent/base/log.h"

namespace lunar {

namespace {

namespace fs = std::filesystem;

constexpr uint32_t directory_events = IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;

std::string join(const std::string& path, std::string_view name) {
  return (path == "/" ? path : path + "/") + std::string(name);
}

bool is_below(std::string_view path, std::string_view ancestor) {
  return path.starts_with(ancestor) && (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

}  // namespace

Result<CgroupTree> CgroupTree::watch(std::string mount) {
  while (mount.size() > 1 && mount.ends_with('/')) mount.pop_back();
  Fd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return fail("cannot watch cgroups (fs.inotify.max_user_instances?)", errno);
  CgroupTree tree(std::move(mount), std::move(inotify));
  std::vector<CgroupChange> ignored;
  tree.add("/", ignored);
  if (tree.watches_.empty())
    return fail("cannot watch the cgroups below " + tree.mount_ + " (fs.inotify.max_user_watches?)", errno);
  return tree;
}

// Watches first and lists afterwards: a child made in between is reported twice, never missed.
void CgroupTree::add(const std::string& path, std::vector<CgroupChange>& changes) {
  const std::string where = directory(path);
  const int watch = inotify_add_watch(inotify_.get(), where.c_str(), directory_events);
  if (watch < 0 && errno != ENOSPC) return;  // removed again already
  if (watch < 0) {
    if (!std::exchange(incomplete_, true))
      log::warn("not every cgroup can be watched, new ones are found a second late; raise fs.inotify.max_user_watches");
  } else {
    watches_.insert_or_assign(watch, Watched{path, false});
  }
  paths_.insert(path);
  changes.push_back({CgroupChange::Kind::created, path});
  std::error_code error;
  for (fs::directory_iterator it(where, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const std::string child = join(path, it->path().filename().string());
    if (it->is_directory(gone) && !paths_.contains(child)) add(child, changes);
  }
}

void CgroupTree::remove(const std::string& path, std::vector<CgroupChange>& changes) {
  for (auto it = paths_.lower_bound(path); it != paths_.end() && it->starts_with(path);) {
    if (!is_below(*it, path)) {
      ++it;
      continue;
    }
    changes.push_back({CgroupChange::Kind::removed, *it});
    it = paths_.erase(it);
  }
  std::erase_if(watches_, [&](const auto& entry) { return is_below(entry.second.path, path); });
}

void CgroupTree::rescan(std::vector<CgroupChange>& changes) {
  for (const std::string& path : std::set<std::string>(paths_)) {
    std::error_code error;
    if (paths_.contains(path) && !fs::is_directory(directory(path), error)) remove(path, changes);
  }
  for (const std::string& path : std::set<std::string>(paths_)) add(path, changes);
}

void CgroupTree::take(const inotify_event& event, std::vector<CgroupChange>& changes) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) rescan(changes);
  const auto watched = watches_.find(event.wd);
  if (watched == watches_.end()) return;
  const auto [path, population] = watched->second;
  if (population && (event.mask & IN_MODIFY) != 0) {
    changes.push_back({CgroupChange::Kind::population, path});
    return;
  }
  if ((event.mask & IN_ISDIR) == 0 || event.len == 0) return;
  const std::string child = join(path, event.name);
  if ((event.mask & IN_CREATE) != 0)
    add(child, changes);
  else
    remove(child, changes);
}

std::vector<CgroupChange> CgroupTree::catch_up() {
  std::vector<CgroupChange> changes;
  if (incomplete_) rescan(changes);
  return changes;
}

std::vector<CgroupChange> CgroupTree::read() {
  std::vector<CgroupChange> changes;
  alignas(inotify_event) std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return changes;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      take(*event, changes);
    }
  }
}

void CgroupTree::watch_population(const std::string& path) {
  const std::string file = directory(path) + "/cgroup.events";
  const int watch = inotify_add_watch(inotify_.get(), file.c_str(), IN_MODIFY);
  if (watch >= 0) watches_.insert_or_assign(watch, Watched{path, true});
}

}  // namespace lunar
