#include "tests/flowengine/flows/flow_scene.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace lunar {

std::shared_ptr<const Plan> FlowScene::plan() const {
  Compiled out = compiled();
  std::string text;
  for (const Diagnostic& one : out.diagnostics.list()) text += one.print() + "\n";
  INFO(text);
  REQUIRE(out.plan != nullptr);
  return out.plan;
}

SimulatedRequest call(std::string_view line, std::initializer_list<std::string_view> fields,
                      std::optional<std::string> body) {
  size_t space = line.find(' ');
  SimulatedRequest out{.method = std::string(line.substr(0, space)), .url = std::string(line.substr(space + 1))};
  for (std::string_view one : fields) {
    size_t colon = one.find(": ");
    out.headers.emplace_back(one.substr(0, colon), one.substr(colon + 2));
  }
  out.body = std::move(body);
  return out;
}

std::optional<std::string> field(const HeaderList& fields, std::string_view name) {
  auto found = std::ranges::find_if(fields, [&](const auto& one) { return equal_ignoring_case(one.first, name); });
  return found == fields.end() ? std::nullopt : std::optional(found->second);
}

std::string flow_with(std::string_view name, std::string_view filter, std::string_view processors,
                      std::string_view request, std::string_view response) {
  constexpr std::string_view straight = "[{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]";
  std::string out = "name: " + std::string(name) + "\nfilter: " + std::string(filter) +
                    "\nprocessors: " + std::string(processors) + "\nflow:\n  request: ";
  out.append(request.empty() ? straight : request).append("\n  response: ");
  return out.append(response.empty() ? straight : response).append("\n");
}

}  // namespace lunar
