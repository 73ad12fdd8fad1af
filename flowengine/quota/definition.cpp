#include "flowengine/quota/definition.h"

#include <array>
#include <string_view>

namespace lunar {
namespace {

constexpr std::array<std::string_view, 5> unit_names = {"second", "minute", "hour", "day", "month"};
constexpr std::array<std::string_view, 3> counter_names = {"one", "request", "response"};

std::string window_signature(const FixedWindow& window, const std::string& group_by_header) {
  std::string text = "window " + std::to_string(window.interval) + " ";
  text.append(unit_names[static_cast<size_t>(window.unit)]).append(" ");
  text.append(counter_names[static_cast<size_t>(window.counter)]);
  if (const auto& renewal = window.renewal) {
    text.append(" renewal ").append(std::to_string(renewal->day)).append(" ").append(std::to_string(renewal->hour));
    text.append(":").append(std::to_string(renewal->minute)).append(renewal->local ? " local" : " utc");
  }
  if (!group_by_header.empty()) text.append(" by ").append(group_by_header);
  if (!window.counter_path.empty()) text.append(" path ").append(window.counter_path);
  return text;
}

}  // namespace

std::string strategy_signature(const QuotaNode& node) {
  if (const auto* window = std::get_if<FixedWindow>(&node.strategy))
    return window_signature(*window, node.group_by_header);
  return std::holds_alternative<Concurrent>(node.strategy) ? "concurrent" : "header_based";
}

}  // namespace lunar
