#include "agent/redirect/target.h"

#include <algorithm>

#include "agent/base/utf8.h"
#include "agent/redirect/cgroup_names.h"

namespace lunar {

namespace {

constexpr size_t shortest_id = 8;
constexpr size_t longest_id = 64;

bool is_container_id(std::string_view text) {
  const bool length_fits = text.size() >= shortest_id && text.size() <= longest_id;
  return length_fits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = utf8_sequence(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool has_unsafe_part(std::string_view path) {
  return path.find("//") != std::string_view::npos || (std::string(path) + "/").find("/../") != std::string::npos ||
         (std::string(path) + "/").find("/./") != std::string::npos;
}

}  // namespace

Result<Target> Target::parse(std::string_view text, std::string_view cgroup_mount) {
  if (text.empty()) return fail("a target is a cgroup path, a unit, a container id or pid:NUMBER");
  if (text.size() > 4096 || std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    return fail("a target has no control characters and at most 4096 bytes");
  if (!is_utf8(text)) return fail("a target is written in UTF-8");
  if (text.front() != '/') {
    if (text.find('/') != std::string_view::npos) return fail("a cgroup path begins with /: " + std::string(text));
    return Target(is_container_id(text) ? Kind::container : Kind::name, std::string(text));
  }
  if (text.starts_with(cgroup_mount) && text.substr(cgroup_mount.size()).starts_with('/'))
    text.remove_prefix(cgroup_mount.size());
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  if (has_unsafe_part(text)) return fail("a cgroup path has no empty, . or .. parts: " + std::string(text));
  return Target(Kind::path, std::string(text));
}

bool Target::matches(std::string_view path) const {
  if (kind_ == Kind::path) return path == text_;
  const std::string_view last = path.substr(path.rfind('/') + 1);
  if (last == text_) return true;
  const std::string container = container_in(last);
  return kind_ == Kind::container ? container.starts_with(text_) : !container.empty() && container == text_;
}

}  // namespace lunar
