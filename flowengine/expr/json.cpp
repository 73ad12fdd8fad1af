#include "flowengine/expr/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <vector>

#include "flowengine/expr/code_point.h"
#include "flowengine/expr/number.h"

namespace lunar {
namespace {

using Members = Json::object_t::Container;

bool names_repeat(const Members& members) {
  for (size_t i = 1; i < members.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (members[i].first == members[j].first) return true;
  return false;
}

// Inserting through the map's own interface looks at every member each time: a body of 1 MiB would take seconds.
void keep_last_of_each_name(Members& members) {
  constexpr size_t few = 16;
  if (members.size() <= few && !names_repeat(members)) return;
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  auto name = [&members](size_t index) -> const std::string& { return members[index].first; };
  std::ranges::sort(order, [&name](size_t one, size_t other) {
    int compared = name(one).compare(name(other));
    return compared != 0 ? compared < 0 : one < other;
  });
  std::vector<bool> dropped(members.size());
  bool any_dropped = false;
  for (size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && name(order[end]) == name(order[first])) ++end;
    if (end - first == 1) continue;
    any_dropped = true;
    for (size_t i = first + 1; i < end; ++i) dropped[order[i]] = true;
    members[order[first]].second = std::move(members[order[end - 1]].second);
  }
  if (!any_dropped) return;
  Members kept;
  for (size_t i = 0; i < members.size(); ++i)
    if (!dropped[i]) kept.emplace_back(members[i].first, std::move(members[i].second));
  members.swap(kept);
}

// Receives the events of the parser; answering false ends the parse.
class TreeBuilder {
 public:
  [[nodiscard]] Json take() { return std::move(root_); }

  bool null() { return put(Json()); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const Json::string_t&) { return put(value); }
  bool string(Json::string_t& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool key(Json::string_t& name) {
    members().emplace_back(std::move(name), Json());
    return true;
  }
  bool end_object() {
    keep_last_of_each_name(members());
    return close();
  }
  bool end_array() { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

 private:
  Members& members() { return open_.back()->get_ref<Json::object_t&>(); }

  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_array()) return parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
    return members().back().second = std::move(value);
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() == deepest_json) return false;
    // Only the last child of an open container is open too, so no growth moves what is pointed at.
    open_.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;
};

std::string float_text(double number) {
  constexpr double all_digits_shown = 1e21;
  if (number == 0) return "0";
  if (number != std::floor(number) || std::fabs(number) >= all_digits_shown) return Json(number).dump();
  char digits[32];
  auto end = std::to_chars(std::begin(digits), std::end(digits), number, std::chars_format::fixed, 0).ptr;
  return {std::begin(digits), end};
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
  TreeBuilder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return builder.take();
}

std::string json_text(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_number_float()) return float_text(value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<int64_t> json_integer(const Json& value) {
  if (value.is_string()) return integral_number(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) {
    auto number = value.get<uint64_t>();
    return number <= INT64_MAX ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return value.is_number_float() ? integral_number(value.get<double>()) : std::nullopt;
}

std::optional<double> json_number(const Json& value) {
  if (value.is_string()) return decimal_number(value.get_ref<const std::string&>());
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    std::string_view rest = bytes;
    bool valid = take_code_point(rest).has_value();
    if (!valid) rest.remove_prefix(1);
    valid ? out.append(bytes.substr(0, bytes.size() - rest.size())) : out.append("\xEF\xBF\xBD");
    bytes = rest;
  }
  return out;
}

}  // namespace lunar
