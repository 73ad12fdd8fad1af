#include "agent/redirect/cgroup_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace lunar {

namespace {

constexpr size_t id_length = 64;

struct Pattern {
  std::string_view before;
  std::string_view after;
  bool machine;  // what is between is a name, not an id
};

constexpr std::array<Pattern, 9> patterns{{
    {"docker-", ".scope", false},
    {"libpod-", ".scope", false},
    {"libpod-payload-", "", false},
    {"libpod-", "", false},
    {"cri-containerd-", ".scope", false},
    {"crio-", ".scope", false},
    {"nerdctl-", ".scope", false},
    {"machine-", ".scope", true},
    {"systemd-nspawn@", ".service", true},
}};

bool is_id(std::string_view text) {
  return text.size() == id_length &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// systemd's unit name escaping: \xHH.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool escaped = text.substr(i).starts_with("\\x") && i + 3 < text.size() &&
                         std::from_chars(&text[i + 2], &text[i + 2] + 2, code, 16).ptr == &text[i + 2] + 2;
    if (escaped) i += 3;
    out += escaped ? static_cast<char>(code) : text[i];
  }
  return out;
}

// Innermost first.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = path.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!last.empty()) parts.push_back(last);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
  return parts;
}

bool is_unit(std::string_view part) {
  return part.ends_with(".service") || part.ends_with(".scope") || part.ends_with(".socket") ||
         part.ends_with(".mount");
}

}  // namespace

std::string container_in(std::string_view name) {
  if (is_id(name)) return std::string(name);
  for (const Pattern& pattern : patterns) {
    if (!name.starts_with(pattern.before) || !name.ends_with(pattern.after)) continue;
    if (name.size() <= pattern.before.size() + pattern.after.size()) continue;
    const std::string_view inner =
        name.substr(pattern.before.size(), name.size() - pattern.before.size() - pattern.after.size());
    if (pattern.machine) return unescape(inner);
    if (is_id(inner)) return std::string(inner);
  }
  return {};
}

std::string container_of_cgroup(std::string_view path) {
  for (const std::string_view part : parts_of(path))
    if (std::string container = container_in(part); !container.empty()) return container;
  return {};
}

std::string unit_of_cgroup(std::string_view path) {
  const auto parts = parts_of(path);
  for (const std::string_view part : parts)
    // "_" protects a unit whose name would look like a file of the cgroup (systemd, cg_escape).
    if (is_unit(part)) return unescape(part.starts_with('_') ? part.substr(1) : part);
  for (const std::string_view part : parts)
    if (part.ends_with(".slice")) return unescape(part);
  return {};
}

}  // namespace lunar
