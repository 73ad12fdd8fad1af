#include "flowengine/expr/expression.h"

#include "flowengine/expr/jsonpath_parser.h"
#include "flowengine/expr/jsonpath_walk.h"
#include "flowengine/expr/message_json.h"
#include "flowengine/expr/message_members.h"
#include "flowengine/expr/number.h"
#include "flowengine/expr/query_string.h"
#include "flowengine/expr/reads.h"

namespace lunar {
namespace {

using jsonpath::Query;
using jsonpath::Segment;
using jsonpath::Selector;

// The name that a segment of a singular query selects, or null.
const std::string* name_at(const Query& query, size_t index) {
  if (!query.singular || index >= query.segments.size()) return nullptr;
  const Selector& selector = query.segments[index].selectors[0];
  return selector.kind == Selector::Kind::name ? &selector.name : nullptr;
}

// What most expressions name is read straight from the message: they are evaluated for every request.
struct Shortcut {
  enum class Kind : uint8_t { none, text, header, query_param, process, status, usage };
  Kind kind = Kind::none;
  std::string name;
  std::string_view Request::* text = nullptr;
};

Shortcut member_shortcut(const Query& query, Member member) {
  const std::string* name = name_at(query, 1);
  if (query.segments.size() != 2 || name == nullptr) return {};
  switch (member) {
    case Member::headers:
      return {Shortcut::Kind::header, *name};
    case Member::query_param:
      return {Shortcut::Kind::query_param, *name};
    case Member::process:
      return {Shortcut::Kind::process, *name};
    case Member::usage:
      return {Shortcut::Kind::usage, *name};
    default:
      return {};
  }
}

Shortcut shortcut_for(const Query& query, Root root) {
  const std::string* name = name_at(query, 0);
  auto member = name != nullptr ? member_from_name(root, *name) : std::nullopt;
  if (!member) return {};
  if (query.segments.size() > 1) return member_shortcut(query, *member);
  switch (*member) {
    case Member::status:
    case Member::status_code:
      return {Shortcut::Kind::status, {}};
    case Member::method:
      return {Shortcut::Kind::text, {}, &Request::method};
    case Member::host:
      return {Shortcut::Kind::text, {}, &Request::host};
    case Member::path:
      return {Shortcut::Kind::text, {}, &Request::path};
    case Member::query:
      return {Shortcut::Kind::text, {}, &Request::query};
    default:
      return {};
  }
}

std::optional<std::string> short_text(const Shortcut& shortcut, View& view, Root root) {
  const Message* message = view.message(root);
  if (message == nullptr) return std::nullopt;
  switch (shortcut.kind) {
    case Shortcut::Kind::header: {
      const HeaderField* field = message->find(shortcut.name);
      return field != nullptr ? std::optional<std::string>(field->value) : std::nullopt;
    }
    case Shortcut::Kind::query_param:
      return query_value(view.request().query, shortcut.name);
    case Shortcut::Kind::process:
      return process_text(view.request().caller, shortcut.name);
    case Shortcut::Kind::status:
      return std::to_string(view.response()->status);
    case Shortcut::Kind::usage: {
      const auto& usage = view.response()->usage;
      auto value = usage ? usage_value(*usage, shortcut.name) : std::nullopt;
      return value ? std::optional(std::to_string(*value)) : std::nullopt;
    }
    default:
      return std::string(view.request().*shortcut.text);
  }
}

jsonpath::Node message_node(View& view, Root root) { return {.members = view.members(root)}; }

Target target_of(const Query& query, Root root) {
  using Kind = Target::Kind;
  const Segment* first = query.segments.empty() ? nullptr : &query.segments[0];
  if (first == nullptr || first->descendant || first->selectors.size() != 1) return {};
  auto member = member_from_name(root, first->selectors[0].name);
  if (!member) return {};
  if (*member == Member::body) return {Kind::body, {}};
  bool request = root == Root::request;
  const std::string* name = query.segments.size() == 2 ? name_at(query, 1) : nullptr;
  if (name != nullptr && *member == Member::headers) return {Kind::header, *name};
  if (name != nullptr && *member == Member::query_param && request) return {Kind::query_param, *name};
  if (query.segments.size() != 1) return {};
  if (*member == Member::status || *member == Member::status_code) return {Kind::status, {}};
  if (!request) return {};
  if (*member == Member::path) return {Kind::path, {}};
  if (*member == Member::query) return {Kind::query, {}};
  return *member == Member::host ? Target{Kind::host, {}} : Target{};
}

}  // namespace

struct Expression::Plan {
  std::string text;
  Query query;
  Root root;
  Reads reads;
  Shortcut shortcut;

  Plan(std::string_view from, Query parsed)
      : text(from),
        query(std::move(parsed)),
        root(query.origin == jsonpath::Origin::request ? Root::request : Root::response),
        reads(query),
        shortcut(shortcut_for(query, root)) {}

  // Calls use(value) with the first result; nothing where there is none.
  template <class Use>
  auto with_first(View& view, Use use) const -> decltype(use(std::declval<const Json&>())) {
    jsonpath::Walk walk({.request = message_node(view, Root::request), .response = message_node(view, Root::response)});
    auto node = walk.first(query);
    if (!node || walk.exhausted()) return {};
    return use(*jsonpath::value_of(*node));
  }
};

std::expected<Expression, ExpressionFault> Expression::parse(std::string_view text) {
  auto query = jsonpath::parse_query(text, jsonpath::Document::messages);
  if (query) return Expression(std::make_shared<const Plan>(text, *std::move(query)));
  const auto& [fault, bad_root] = query.error();
  return std::unexpected(ExpressionFault{fault.offset, fault.text, bad_root ? "bad-expression-root" : "bad-jsonpath"});
}

const std::string& Expression::text() const { return plan_->text; }
Root Expression::root() const { return plan_->root; }
bool Expression::singular() const { return plan_->query.singular; }
const Query& Expression::query() const { return plan_->query; }
Target Expression::target() const { return target_of(plan_->query, plan_->root); }
bool Expression::needs_usage() const { return plan_->reads.has(Root::response, Member::usage); }
bool Expression::needs_body(Root root) const {
  return plan_->reads.has(root, Member::body) || plan_->reads.has(root, Member::body_map);
}

std::optional<std::string> Expression::first_text(View& view) const {
  if (plan_->shortcut.kind != Shortcut::Kind::none) return short_text(plan_->shortcut, view, plan_->root);
  return plan_->with_first(view, [](const Json& value) { return std::optional(json_text(value)); });
}

bool Expression::holds(View& view) const {
  if (plan_->shortcut.kind != Shortcut::Kind::none) return short_text(plan_->shortcut, view, plan_->root).has_value();
  jsonpath::Walk walk({.request = message_node(view, Root::request), .response = message_node(view, Root::response)});
  return walk.first(plan_->query).has_value() && !walk.exhausted();
}

std::optional<int64_t> Expression::first_integer(View& view) const {
  if (plan_->shortcut.kind == Shortcut::Kind::none) return plan_->with_first(view, json_integer);
  auto text = short_text(plan_->shortcut, view, plan_->root);
  return text ? integral_number(*text) : std::nullopt;
}

std::optional<double> Expression::first_number(View& view) const {
  if (plan_->shortcut.kind == Shortcut::Kind::none) return plan_->with_first(view, json_number);
  auto text = short_text(plan_->shortcut, view, plan_->root);
  return text ? decimal_number(*text) : std::nullopt;
}

}  // namespace lunar
