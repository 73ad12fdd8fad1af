#include "flowengine/expr/reads.h"

#include <algorithm>

namespace lunar {

using jsonpath::Logical;
using jsonpath::Operand;
using jsonpath::Query;
using jsonpath::Segment;
using jsonpath::Selector;
using Kind = Selector::Kind;

// Gives whether a result may still be the message itself.
bool Reads::add_at_message(const Segment& segment, Root root) {
  bool stays = false;
  for (const Selector& selector : segment.selectors) {
    if (segment.descendant || selector.kind == Kind::every) {
      add_all(root);
    } else if (selector.kind == Kind::name) {
      auto member = member_from_name(root, selector.name);
      if (member) masks_[static_cast<size_t>(root)] |= uint32_t{1} << static_cast<unsigned>(*member);
    } else if (selector.kind == Kind::filter) {
      add(*selector.filter, &root);
      stays = true;
    }
  }
  return stays;
}

void Reads::add_filters(const Segment& segment) {
  for (const Selector& selector : segment.selectors)
    if (selector.filter) add(*selector.filter, nullptr);
}

void Reads::add(const Query& query, const Root* current) {
  std::optional<Root> at;
  if (query.origin == jsonpath::Origin::request) at = Root::request;
  if (query.origin == jsonpath::Origin::response) at = Root::response;
  if (query.origin == jsonpath::Origin::current && current != nullptr) at = *current;
  // A message as a whole; as the result of a filter it is only a yes or no.
  if (at && query.segments.empty()) add_all(*at);
  for (const Segment& segment : query.segments) {
    bool stays = at && add_at_message(segment, *at);
    if (!stays) at.reset();
    add_filters(segment);
  }
}

void Reads::add(const Logical& logical, const Root* current) {
  for (const Logical& part : logical.parts) add(part, current);
  for (const Operand& operand : logical.operands) add(operand, current);
}

void Reads::add(const Operand& operand, const Root* current) {
  if (const auto* query = std::get_if<Query>(&operand)) return add(*query, current);
  const auto* call = std::get_if<std::shared_ptr<const jsonpath::Call>>(&operand);
  if (call == nullptr) return;
  for (const Operand& argument : (*call)->arguments) add(argument, current);
}

}  // namespace lunar
