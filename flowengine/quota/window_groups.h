// The windows of a node with grouping: one per value of a header, made when something is counted and forgotten when it
// has closed with nothing to carry.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flowengine/quota/window.h"

namespace lunar {

inline constexpr std::string_view default_group = "default";    // of a request without the header
inline constexpr std::string_view overflow_group = "overflow";  // shared by those who come too late
inline constexpr size_t max_live_groups = 100'000;

class WindowGroups {
 public:
  struct Group {
    std::string name;
    Window window;
    bool listed_open = false;
  };

  WindowGroups() = default;
  WindowGroups(const WindowGroups&) = delete;
  WindowGroups& operator=(const WindowGroups&) = delete;
  WindowGroups(WindowGroups&&) = default;  // names stay where they are in memory
  WindowGroups& operator=(WindowGroups&&) = default;
  ~WindowGroups() = default;

  // The name under which `name` counts: itself, or the overflow group. Forgets a few closed groups on the way; up to
  // the next call, what find() and make() returned stays valid.
  [[nodiscard]] std::string_view settle_name(std::string_view name, const WindowRules& rules, const Instant& now);
  [[nodiscard]] Window* find(std::string_view name);
  Window& make(std::string_view name);
  void opened(std::string_view name);  // its window went from closed to open

  [[nodiscard]] size_t size() const { return index_.size(); }
  [[nodiscard]] size_t overflowed() const {
    return overflowed_;
  }  // how often something was counted in the overflow group
  void forget_closed(const WindowRules& rules, const Instant& now);
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Group& group : open_) visit(group.name, group.window);
    for (Group& group : idle_) visit(group.name, group.window);
  }

 private:
  using Groups = std::list<Group>;
  bool forget_one(const WindowRules& rules, const Instant& now);
  void forget(Groups& list, Groups::iterator group);

  // Windows of a node close in the order in which they opened, and what they carry ends at one instant: the front of a
  // list tells whether anything in it can be forgotten.
  Groups open_;
  Groups idle_;  // closed, with something to carry; and those of which nothing was counted
  std::unordered_map<std::string_view, Groups::iterator> index_;
  size_t overflowed_ = 0;
};

}  // namespace lunar
