#include "flowengine/expr/transform_body.h"

#include <algorithm>
#include <vector>

#include "flowengine/expr/jsonpath_walk.h"
#include "flowengine/expr/message_members.h"

namespace lunar {
namespace {

using jsonpath::Node;
using jsonpath::Selector;

// Sorted by address, each once.
std::vector<const Json*> matches(const Json& body, const Expression& expression, View& view) {
  jsonpath::Walk walk(
      {.request = {.members = view.members(Root::request)}, .response = {.members = view.members(Root::response)}});
  std::span segments(expression.query().segments);
  std::vector<const Json*> out;
  for (const Node& node : walk.all_below(segments.subspan(1), {.value = &body, .inside = &body}))
    out.push_back(node.value);
  if (walk.exhausted()) out.clear();
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

class Removal {
 public:
  explicit Removal(std::vector<const Json*> places) : places_(std::move(places)) {}
  [[nodiscard]] bool names(const Json& value) const { return std::ranges::binary_search(places_, &value); }

  size_t below(Json& value) {
    if (value.is_array()) return from(value.get_ref<Json::array_t&>(), [](Json& item) -> Json& { return item; });
    if (!value.is_object()) return 0;
    Json::object_t::Container& members = value.get_ref<Json::object_t&>();
    return from(members, [](Json::object_t::value_type& member) -> Json& { return member.second; });
  }

 private:
  // Builds the container anew only where something goes: members of an object cannot be assigned to.
  template <class Container, class ValueOf>
  size_t from(Container& container, ValueOf value_of) {
    size_t removed = 0, here = 0;
    for (auto& item : container) {
      if (names(value_of(item))) {
        ++here;
      } else {
        removed += below(value_of(item));
      }
    }
    if (here == 0) return removed;
    std::vector<bool> gone;
    for (auto& item : container) gone.push_back(names(value_of(item)));
    Container kept;
    size_t index = 0;
    for (auto& item : container)
      if (!gone[index++]) kept.push_back(std::move(item));
    container.swap(kept);
    return removed + here;
  }

  std::vector<const Json*> places_;
};

Json* place_in_object(Json& object, const std::string& name) {
  if (object.is_null()) object = Json::object();
  return object.is_object() ? &object[name] : nullptr;
}

Json* place_in_array(Json& array, int64_t index) {
  if (!array.is_array()) return nullptr;
  auto size = static_cast<int64_t>(array.size());
  if (index < 0) index += size;
  if (index < 0 || index > size) return nullptr;
  if (index == size) array.push_back(nullptr);
  return &array[static_cast<size_t>(index)];
}

}  // namespace

size_t remove_matches(Json& body, const Expression& expression, View& view) {
  Removal removal(matches(body, expression, view));
  if (!removal.names(body)) return removal.below(body);
  body = nullptr;
  return 1;
}

bool set_value(Json& body, const Expression& expression, Json value) {
  std::span segments(expression.query().segments);
  Json changed = body;  // a failure halfway leaves nothing behind
  Json* place = &changed;
  for (const jsonpath::Segment& segment : segments.subspan(1)) {
    const Selector& selector = segment.selectors[0];
    place = selector.kind == Selector::Kind::name ? place_in_object(*place, selector.name)
                                                  : place_in_array(*place, *selector.start);
    if (place == nullptr) return false;
  }
  *place = std::move(value);
  body = std::move(changed);
  return true;
}

size_t replace_scalars(Json& body, const Expression& expression, View& view,
                       const std::function<std::string(const std::string&)>& replacement) {
  size_t replaced = 0;
  for (const Json* found : matches(body, expression, view)) {
    if (found->is_structured()) continue;
    // The walk reads; what it found is a part of `body`, which is the caller's to change.
    *const_cast<Json*>(found) = replacement(json_text(*found));
    ++replaced;
  }
  return replaced;
}

}  // namespace lunar
