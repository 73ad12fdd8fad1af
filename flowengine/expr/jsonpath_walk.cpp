#include "flowengine/expr/jsonpath_walk.h"

#include <algorithm>

#include "flowengine/message.h"

namespace lunar::jsonpath {
namespace {

constexpr size_t deepest_walk = 2 * deepest_json;

using Kind = Selector::Kind;
using Need = Members::Need;

std::optional<Node> node_of(const Json* found) {
  return found == nullptr ? std::nullopt : std::optional(Node{.value = found, .inside = found});
}

const Json* find_member(const Json& object, std::string_view name, bool fold) {
  const auto& members = object.get_ref<const Json::object_t&>();
  auto found = std::ranges::find_if(members, [name, fold](const auto& member) {
    return fold ? equal_ignoring_case(member.first, name) : member.first == name;
  });
  return found == members.end() ? nullptr : &found->second;
}

const Json* find_index(const Json& array, int64_t index) {
  auto size = static_cast<int64_t>(array.size());
  if (index < 0) index += size;
  return index < 0 || index >= size ? nullptr : &array[static_cast<size_t>(index)];
}

}  // namespace

const Json* value_of(const Node& node) { return node.members != nullptr ? &node.members->whole() : node.value; }

bool Walk::spend(size_t steps) {
  steps_left_ -= std::min(steps_left_, steps);
  return steps_left_ > 0;
}

void Walk::put(std::vector<Node>& out, const Node& node) {
  if (out.size() == most_nodes) steps_left_ = 0;
  if (spend(1)) out.push_back(node);
}

const Node& Walk::origin(const Query& query, const Node& current) const {
  switch (query.origin) {
    case Origin::current:
      return current;
    case Origin::request:
      return origins_.request;
    case Origin::response:
      return origins_.response;
    case Origin::document:
      break;
  }
  return origins_.document;
}

std::optional<Node> Walk::first(const Query& query) {
  if (query.singular) return single(query, {});
  auto found = all(query);
  return found.empty() ? std::nullopt : std::optional(found.front());
}

std::optional<Node> Walk::single(const Query& query, const Node& current) {
  std::optional<Node> at = origin(query, current);
  for (size_t i = 0; i < query.segments.size() && at; ++i) {
    bool last = i + 1 == query.segments.size();
    at = step(*at, query.segments[i].selectors[0], last ? Need::value : Need::inside);
  }
  bool found = at && (at->value != nullptr || at->members != nullptr) && !exhausted();
  return found ? at : std::nullopt;
}

// By a name or an index.
std::optional<Node> Walk::step(const Node& from, const Selector& selector, Need need) {
  if (!spend(1)) return std::nullopt;
  bool by_name = selector.kind == Kind::name;
  if (from.members != nullptr) return by_name ? from.members->member(selector.name, need) : std::nullopt;
  if (from.inside == nullptr) return std::nullopt;
  if (by_name && from.inside->is_object()) {
    spend(from.inside->size() / 8);
    return node_of(find_member(*from.inside, selector.name, from.names_fold));
  }
  if (by_name || !from.inside->is_array()) return std::nullopt;
  return node_of(find_index(*from.inside, *selector.start));
}

std::vector<Node> Walk::all(const Query& query, const Node& current) {
  if (query.singular) {
    auto one = single(query, current);
    return one ? std::vector{*one} : std::vector<Node>();
  }
  return all_below(query.segments, origin(query, current));
}

std::vector<Node> Walk::all_below(std::span<const Segment> segments, const Node& start) {
  std::vector<Node> nodes{start};
  for (const Segment& segment : segments) {
    std::vector<Node> next;
    for (const Node& node : nodes) {
      segment.descendant ? descend(node, segment, next) : select(node, segment, next);
      if (exhausted()) return {};
    }
    nodes = std::move(next);
  }
  std::erase_if(nodes, [](const Node& node) { return node.value == nullptr && node.members == nullptr; });
  return nodes;
}

bool Walk::exists(const Query& query, const Node& current) {
  return query.singular ? single(query, current).has_value() : !all(query, current).empty();
}

template <class Visit>
void Walk::each_child(const Node& from, Visit visit) {
  if (from.members != nullptr) {
    for (std::string_view name : from.members->names())
      if (auto child = from.members->member(name, Need::both)) visit(*child);
    return;
  }
  if (from.inside == nullptr) return;
  if (from.inside->is_array()) {
    for (const Json& child : from.inside->get_ref<const Json::array_t&>()) {
      if (!spend(1)) return;
      visit(*node_of(&child));
    }
  } else if (from.inside->is_object()) {
    for (const auto& child : from.inside->get_ref<const Json::object_t&>()) {
      if (!spend(1)) return;
      visit(*node_of(&child.second));
    }
  }
}

void Walk::select(const Node& from, const Segment& segment, std::vector<Node>& out) {
  for (const Selector& selector : segment.selectors) {
    bool tests_message = selector.kind == Kind::filter && from.members != nullptr && !segment.descendant;
    if (!tests_message) {
      select_children(from, selector, out);
    } else if (test(*selector.filter, from)) {
      put(out, from);  // flows.md §5.1: a filter directly on a message tests the message itself
    }
  }
}

void Walk::select_children(const Node& from, const Selector& selector, std::vector<Node>& out) {
  switch (selector.kind) {
    case Kind::name:
    case Kind::index:
      if (auto found = step(from, selector, Need::both)) put(out, *found);
      break;
    case Kind::every:
      each_child(from, [&](const Node& child) { put(out, child); });
      break;
    case Kind::filter:
      each_child(from, [&](const Node& child) {
        if (test(*selector.filter, child)) put(out, child);
      });
      break;
    case Kind::slice:
      if (from.inside != nullptr && from.inside->is_array()) slice(*from.inside, selector, out);
      break;
  }
}

// RFC 9535 §2.3.4.2.2.
void Walk::slice(const Json& array, const Selector& selector, std::vector<Node>& out) {
  auto size = static_cast<int64_t>(array.size());
  auto from_end = [size](int64_t index) { return index < 0 ? index + size : index; };
  int64_t step = selector.step;
  auto item = [&](int64_t index) { put(out, *node_of(&array[static_cast<size_t>(index)])); };
  if (step > 0) {
    int64_t lower = std::clamp<int64_t>(from_end(selector.start.value_or(0)), 0, size);
    int64_t upper = std::clamp<int64_t>(from_end(selector.end.value_or(size)), 0, size);
    for (int64_t i = lower; i < upper && !exhausted(); i += step) item(i);
  } else if (step < 0) {
    int64_t upper = std::clamp<int64_t>(from_end(selector.start.value_or(size - 1)), -1, size - 1);
    int64_t lower = std::clamp<int64_t>(from_end(selector.end.value_or(-size - 1)), -1, size - 1);
    for (int64_t i = upper; i > lower && !exhausted(); i += step) item(i);
  }
}

// Every node before its descendants, as RFC 9535 §2.5.2.2 wants it.
void Walk::descend(const Node& from, const Segment& segment, std::vector<Node>& out) {
  if (depth_ == deepest_walk) steps_left_ = 0;
  if (!spend(1)) return;
  ++depth_;
  select(from, segment, out);
  each_child(from, [&](const Node& child) {
    bool has_children = child.inside != nullptr && child.inside->is_structured();
    if (has_children) descend(child, segment, out);
  });
  --depth_;
}

}  // namespace lunar::jsonpath
