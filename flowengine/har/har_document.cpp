#include "flowengine/har/har_document.h"

#include "flowengine/expr/json.h"

namespace lunar {
namespace {

bool is_entry(std::string_view line) {
  const auto entry = parse_json(line);
  if (!entry || !entry->is_object()) return false;
  const auto is_object = [&](const char* name) {
    const auto member = entry->find(name);
    return member != entry->end() && member->is_object();
  };
  const auto started = entry->find("startedDateTime");
  return is_object("request") && is_object("response") && started != entry->end() && started->is_string();
}

}  // namespace

HarDocument::HarDocument(const HarCreator& creator) {
  const Json names{{"name", creator.name}, {"version", creator.version}};
  text_ = R"({"log":{"version":"1.2","creator":)" + names.dump() + R"(,"entries":[)";
}

void HarDocument::add_lines(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (!is_entry(line)) {
      ++skipped_;
      continue;
    }
    text_ += entries_++ == 0 ? "\n" : ",\n";
    text_ += line;
  }
}

std::string HarDocument::text() const { return text_ + "\n]}}\n"; }

}  // namespace lunar
