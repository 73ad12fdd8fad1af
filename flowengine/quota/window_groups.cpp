#include "flowengine/quota/window_groups.h"

namespace lunar {

void WindowGroups::forget(Groups& list, Groups::iterator group) {
  index_.erase(group->name);
  list.erase(group);
}

// Whether something moved, so that looking again may find more.
bool WindowGroups::forget_one(const WindowRules& rules, const Instant& now) {
  bool moved = false;
  if (!open_.empty()) {
    Group& oldest = open_.front();
    rules.update(oldest.window, now);
    moved = !oldest.window.open;
    if (oldest.window.forgettable()) {
      forget(open_, open_.begin());
    } else if (moved) {
      oldest.listed_open = false;
      idle_.splice(idle_.end(), open_, open_.begin());
    }
  }
  if (idle_.empty()) return moved;
  rules.update(idle_.front().window, now);
  if (!idle_.front().window.forgettable()) return moved;
  forget(idle_, idle_.begin());
  return true;
}

void WindowGroups::forget_closed(const WindowRules& rules, const Instant& now) {
  while (forget_one(rules, now)) {
  }
}

std::string_view WindowGroups::settle_name(std::string_view name, const WindowRules& rules, const Instant& now) {
  // Each call makes at most one group, so that two steps a call keep up with those who close.
  if (forget_one(rules, now)) forget_one(rules, now);
  if (index_.contains(name)) return name;
  if (index_.size() - index_.count(overflow_group) < max_live_groups) return name;
  return overflow_group;
}

Window* WindowGroups::find(std::string_view name) {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &found->second->window;
}

Window& WindowGroups::make(std::string_view name) {
  if (name == overflow_group) ++overflowed_;
  auto found = index_.find(name);
  if (found == index_.end()) {
    idle_.push_front({std::string(name), {}, false});
    found = index_.emplace(idle_.front().name, idle_.begin()).first;
  }
  return found->second->window;
}

void WindowGroups::opened(std::string_view name) {
  auto found = index_.find(name);
  if (found == index_.end()) return;
  auto group = found->second;
  open_.splice(open_.end(), group->listed_open ? open_ : idle_, group);
  group->listed_open = true;
}

}  // namespace lunar
