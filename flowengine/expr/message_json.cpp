#include "flowengine/expr/message_json.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "flowengine/expr/query_string.h"

namespace lunar {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Json text(std::string_view value) { return std::string(value); }

// Maps of values by name: each name once, in the order of first appearance. `key` is what makes two names one.
template <class Key>
Json grouped(const Pairs& pairs, bool first_only, Key key) {
  Json out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();
  std::unordered_map<std::string, size_t> places;
  for (const auto& [name, value] : pairs) {
    auto [place, is_new] = places.try_emplace(key(name), members.size());
    if (is_new)
      static_cast<Json::object_t::Container&>(members).emplace_back(name, first_only ? Json(value) : Json::array());
    if (!first_only) std::next(members.begin(), static_cast<ptrdiff_t>(place->second))->second.push_back(value);
  }
  return out;
}

std::string same(const std::string& name) { return name; }

Pairs header_pairs(const Message& message) {
  Pairs out;
  for (const HeaderField& field : message.fields) out.emplace_back(field.name, field.value);
  return out;
}

struct ProcessNumber {
  std::string_view name;
  std::optional<int64_t> Caller::* member;
};
struct ProcessText {
  std::string_view name;
  std::string Caller::* member;
};
constexpr ProcessNumber process_numbers[] = {{"pid", &Caller::pid}, {"uid", &Caller::uid}};
constexpr ProcessText process_texts[] = {{"comm", &Caller::comm},
                                         {"exe", &Caller::exe},
                                         {"cgroup", &Caller::cgroup},
                                         {"unit", &Caller::unit},
                                         {"container", &Caller::container}};

}  // namespace

Json headers_json(const Message& message) { return grouped(header_pairs(message), true, lower_case); }
Json headers_all_json(const Message& message) { return grouped(header_pairs(message), false, lower_case); }
Json query_param_json(const Request& request) { return grouped(parse_query_string(request.query), true, same); }
Json parsed_query_json(const Request& request) { return grouped(parse_query_string(request.query), false, same); }

Json parsed_url_json(const Request& request) {
  return {{"scheme", scheme_name(request.scheme)},
          {"host", text(request.host)},
          {"port", request.port},
          {"path", text(request.path)},
          {"raw_query", text(request.query)}};
}

Json path_segments_json(const Request& request) {
  Json out = Json::array();
  std::string_view rest = request.path;
  while (!rest.empty()) {
    std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
    if (!segment.empty()) out.push_back(text(segment));
  }
  return out;
}

Json path_params_json(const PathParams* params) {
  return params == nullptr ? Json::object() : grouped(*params, true, same);
}

std::optional<std::string> process_text(const Caller* caller, std::string_view name) {
  if (caller == nullptr) return std::nullopt;
  const auto* number = std::ranges::find(process_numbers, name, &ProcessNumber::name);
  if (number != std::end(process_numbers)) {
    const auto& value = caller->*number->member;
    return value ? std::optional(std::to_string(*value)) : std::nullopt;
  }
  const auto* known = std::ranges::find(process_texts, name, &ProcessText::name);
  if (known == std::end(process_texts) || (caller->*known->member).empty()) return std::nullopt;
  return caller->*known->member;
}

std::optional<Json> process_json(const Caller* caller) {
  if (caller == nullptr) return std::nullopt;
  Json out = Json::object();
  for (std::string_view name : {"pid", "comm", "exe", "uid", "cgroup", "unit", "container"}) {
    const auto* number = std::ranges::find(process_numbers, name, &ProcessNumber::name);
    auto value = process_text(caller, name);
    if (!value) continue;
    out[std::string(name)] = number == std::end(process_numbers) ? Json(*value) : Json(*(caller->*number->member));
  }
  return out;
}

std::optional<int64_t> usage_value(const TokenUsage& usage, std::string_view name) {
  if (name == "input_tokens" || name == "prompt_tokens") return usage.input;
  if (name == "output_tokens" || name == "completion_tokens") return usage.output;
  if (name != "total_tokens") return std::nullopt;
  if (usage.total || (!usage.input && !usage.output)) return usage.total;
  int64_t sum = 0;
  bool overflows = __builtin_add_overflow(usage.input.value_or(0), usage.output.value_or(0), &sum);
  return overflows ? std::nullopt : std::optional(sum);
}

std::optional<Json> usage_json(const std::optional<TokenUsage>& usage) {
  if (!usage) return std::nullopt;
  Json out = Json::object();
  for (std::string_view name : usage_names)
    if (auto value = usage_value(*usage, name)) out[std::string(name)] = *value;
  return out;
}

}  // namespace lunar
