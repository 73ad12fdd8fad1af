#include "flowengine/run/token_usage.h"

#include <algorithm>
#include <initializer_list>

namespace lunar {
namespace {

constexpr size_t longest_line = 64 * 1024;

std::optional<int64_t> count_of(const Json& usage, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    auto found = usage.find(name);
    if (found == usage.end()) continue;
    if (auto count = json_integer(*found)) return count;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenUsage> usage_of(const Json& body) {
  if (!body.is_object()) return std::nullopt;
  // Some events carry it one level down, beside what they are about.
  const Json* holder = &body;
  for (const char* around : {"message", "response"}) {
    auto inner = body.find(around);
    if (!body.contains("usage") && inner != body.end() && inner->is_object()) holder = &*inner;
  }
  auto usage = holder->find("usage");
  if (usage == holder->end() || !usage->is_object()) return std::nullopt;
  TokenUsage out{.input = count_of(*usage, {"input_tokens", "prompt_tokens"}),
                 .output = count_of(*usage, {"output_tokens", "completion_tokens"}),
                 .total = count_of(*usage, {"total_tokens"})};
  return out;
}

void EventUsage::read(std::string_view text) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    too_long_ = too_long_ || line_.size() + part.size() > longest_line;
    if (!too_long_) line_.append(part);
    if (end == text.size()) return;
    end_line();
    text.remove_prefix(end + 1);
  }
}

void EventUsage::end_line() {
  std::string_view line = line_;
  bool data = !too_long_ && line.starts_with("data:");
  if (data && line.contains("\"usage\"")) {
    if (auto json = parse_json(line.substr(5)))
      if (auto usage = usage_of(*json)) usage_ = usage;
  }
  line_.clear();
  too_long_ = false;
}

}  // namespace lunar
