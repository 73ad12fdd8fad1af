#include "cli/har_files.h"

#include <algorithm>
#include <charconv>

#include "flowengine/har/har_document.h"

namespace lunar::cli {
namespace {

bool is_entry(std::string_view line) {
  HarDocument document({});
  document.add_lines(line);
  return document.entries() == 1;
}

}  // namespace

HarPlace har_place(const std::string& path) {
  const size_t dot = path.rfind('.');
  HarPlace out{.base = path};
  if (dot == std::string::npos) return out;
  const char* end = path.data() + path.size();
  const auto [last, error] = std::from_chars(path.data() + dot + 1, end, out.age);
  if (error != std::errc{} || last != end || out.age == 0) return {.base = path};
  out.base = path.substr(0, dot);
  return out;
}

std::vector<std::string> oldest_first(const std::vector<std::string>& paths) {
  struct Placed {
    size_t base = 0;
    uint32_t age = 0;
    std::string path;
  };
  std::vector<std::string> bases;
  std::vector<Placed> placed;
  for (const std::string& path : paths) {
    const HarPlace place = har_place(path);
    const auto known = std::ranges::find(bases, place.base);
    placed.push_back({static_cast<size_t>(known - bases.begin()), place.age, path});
    if (known == bases.end()) bases.push_back(place.base);
  }
  std::ranges::sort(placed, [](const Placed& left, const Placed& right) {
    return left.base != right.base ? left.base < right.base : left.age > right.age;
  });
  std::vector<std::string> out;
  for (Placed& one : placed) out.push_back(std::move(one.path));
  return out;
}

std::optional<std::string> line_from_end(std::string_view text, size_t& left) {
  while (!text.empty()) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    const size_t before = text.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? text : text.substr(before + 1);
    text = before == std::string_view::npos ? std::string_view{} : text.substr(0, before + 1);
    if (is_entry(line) && --left == 0) return std::string(line);
  }
  return std::nullopt;
}

}  // namespace lunar::cli
