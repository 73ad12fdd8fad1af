#include <algorithm>
#include <functional>

#include "flowengine/expr/jsonpath_walk.h"

namespace lunar::jsonpath {
namespace {

constexpr size_t bytes_a_step = 8;  // of a search; the slowest one does some 20 MB/s
// Patterns that stand in a message: short, and few in one walk.
constexpr size_t longest_dynamic_pattern = 256;
constexpr size_t steps_a_compilation = 10'000;

void charge(size_t& steps, size_t cost) { steps -= std::min(steps, cost); }

// Whether `left order right`, as integers without the detour over floating point where both are.
template <class Order>
bool ordered(const Json& left, const Json& right, Order order) {
  if (!left.is_number_integer() || !right.is_number_integer()) return order(left.get<double>(), right.get<double>());
  if (left.is_number_unsigned() && right.is_number_unsigned())
    return order(left.get<uint64_t>(), right.get<uint64_t>());
  if (left.is_number_unsigned() && left.get<uint64_t>() > INT64_MAX) return order(1, 0);
  if (right.is_number_unsigned() && right.get<uint64_t>() > INT64_MAX) return order(0, 1);
  return order(left.get<int64_t>(), right.get<int64_t>());
}

bool less_json(const Json& left, const Json& right) {
  if (left.is_number() && right.is_number()) return ordered(left, right, std::less<>());
  if (!left.is_string() || !right.is_string()) return false;
  return left.get_ref<const std::string&>() < right.get_ref<const std::string&>();
}

using MemberList = std::vector<const Json::object_t::value_type*>;

MemberList by_name(const Json& object) {
  MemberList out;
  for (const auto& member : object.get_ref<const Json::object_t&>()) out.push_back(&member);
  std::ranges::sort(out, {}, [](const auto* member) -> const std::string& { return member->first; });
  return out;
}

bool same_objects(const Json& left, const Json& right, size_t& steps) {
  charge(steps, left.size() * 2);
  MemberList left_members = by_name(left), right_members = by_name(right);
  for (size_t i = 0; i < left_members.size(); ++i) {
    if (left_members[i]->first != right_members[i]->first) return false;
    if (!same_json(left_members[i]->second, right_members[i]->second, steps)) return false;
  }
  return true;
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

// RFC 9535 §2.3.5.2.2: numbers by their value, objects whatever the order of their members.
bool same_json(const Json& left, const Json& right, size_t& steps) {
  charge(steps, 1);
  if (steps == 0) return false;
  if (left.is_number() && right.is_number()) return ordered(left, right, std::equal_to<>());
  if (left.type() != right.type() || left.size() != right.size()) return false;
  if (left.is_object()) return same_objects(left, right, steps);
  if (left.is_string()) charge(steps, left.get_ref<const std::string&>().size() / bytes_a_step / 8);
  if (!left.is_array()) return left == right;
  return std::ranges::equal(left.get_ref<const Json::array_t&>(), right.get_ref<const Json::array_t&>(),
                            [&steps](const Json& one, const Json& other) { return same_json(one, other, steps); });
}

bool Walk::test(const Logical& logical, const Node& current) {
  if (!spend(1)) return false;
  auto holds = [&](const Logical& part) { return test(part, current); };
  switch (logical.kind) {
    case Logical::Kind::any:
      return std::ranges::any_of(logical.parts, holds);
    case Logical::Kind::all:
      return std::ranges::all_of(logical.parts, holds);
    case Logical::Kind::negated:
      return !holds(logical.parts.front());
    case Logical::Kind::exists:
      return exists(std::get<Query>(logical.operands.front()), current);
    case Logical::Kind::compared:
      return compare(logical, current);
    case Logical::Kind::called:
      break;
  }
  return matches(*std::get<std::shared_ptr<const Call>>(logical.operands.front()), current);
}

bool Walk::compare(const Logical& logical, const Node& current) {
  Value left = evaluate(logical.operands[0], current), right = evaluate(logical.operands[1], current);
  auto same = [&] {
    if (left.get() == nullptr || right.get() == nullptr) return left.get() == right.get();
    return same_json(*left.get(), *right.get(), steps_left_);
  };
  auto before = [](const Value& one, const Value& other) {
    return one.get() != nullptr && other.get() != nullptr && less_json(*one.get(), *other.get());
  };
  switch (logical.comparison) {
    case Comparison::equal:
      return same();
    case Comparison::unequal:
      return !same();
    case Comparison::less:
      return before(left, right);
    case Comparison::less_or_equal:
      return before(left, right) || same();
    case Comparison::greater:
      return before(right, left);
    case Comparison::greater_or_equal:
      break;
  }
  return before(right, left) || same();
}

Walk::Value Walk::evaluate(const Operand& operand, const Node& current) {
  if (const auto* literal = std::get_if<Json>(&operand)) return {.found = literal};
  if (const auto* query = std::get_if<Query>(&operand)) {
    auto node = single(*query, current);
    return {.found = node ? value_of(*node) : nullptr};
  }
  return evaluate(*std::get<std::shared_ptr<const Call>>(operand), current);
}

Walk::Value Walk::evaluate(const Call& call, const Node& current) {
  if (call.function == Function::length) return length(evaluate(call.arguments[0], current).get());
  auto nodes = all(std::get<Query>(call.arguments[0]), current);
  if (call.function == Function::count) return {.made = Json(nodes.size())};
  return {.found = nodes.size() == 1 ? value_of(nodes.front()) : nullptr};
}

Walk::Value Walk::length(const Json* value) {
  if (value != nullptr && value->is_structured()) return {.made = Json(value->size())};
  if (value == nullptr || !value->is_string()) return {};
  const auto& text = value->get_ref<const std::string&>();
  spend(text.size() / bytes_a_step / 8);
  return {.made = Json(code_points(text))};
}

bool Walk::matches(const Call& call, const Node& current) {
  Value text = evaluate(call.arguments[0], current), pattern = evaluate(call.arguments[1], current);
  auto is_text = [](const Value& value) { return value.get() != nullptr && value.get()->is_string(); };
  if (!is_text(text) || !is_text(pattern)) return false;
  const auto& subject = text.get()->get_ref<const std::string&>();
  const Regex* regex = call.regex ? &*call.regex : nullptr;
  if (!std::holds_alternative<Json>(call.arguments[1]))
    regex = dynamic_regex(pattern.get()->get_ref<const std::string&>());
  if (regex == nullptr || !spend(subject.size() / bytes_a_step)) return false;
  return call.function == Function::match ? regex->matches(subject) : regex->search(subject);
}

const Regex* Walk::dynamic_regex(const std::string& pattern) {
  if (pattern.size() > longest_dynamic_pattern) return nullptr;
  if (last_regex_ && last_pattern_ == pattern) return &*last_regex_;
  if (!spend(steps_a_compilation)) return nullptr;
  auto regex = Regex::compile(interoperable_pattern(pattern));
  if (!regex) return nullptr;
  last_pattern_ = pattern;
  last_regex_ = *std::move(regex);
  return &*last_regex_;
}

}  // namespace lunar::jsonpath
