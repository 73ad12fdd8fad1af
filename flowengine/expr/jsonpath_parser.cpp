#include "flowengine/expr/jsonpath_parser.h"

#include <utility>

namespace lunar::jsonpath {

std::expected<Query, ParseFault> parse_query(std::string_view text, Document document) {
  return Parser(text, document).run();
}

std::expected<Query, ParseFault> Parser::run() {
  std::optional<Query> out;
  if (scan_.peek() == '$') {
    out = query();
  } else {
    scan_.unexpected("`$`");
  }
  if (out && !scan_.done()) scan_.unexpected("a segment or the end");
  if (out && !scan_.fault()) return *std::move(out);
  return std::unexpected(ParseFault{*scan_.fault(), bad_root_});
}

bool Parser::fail(size_t offset, std::string text) {
  scan_.fail(offset, std::move(text));
  return false;
}

// At `$` or `@`.
std::optional<Query> Parser::query() {
  size_t start = scan_.at();
  Query out;
  if (scan_.take("@")) {
    out.origin = Origin::current;
  } else {
    scan_.take("$");
  }
  while (true) {
    size_t end = scan_.at();
    scan_.skip_blanks();
    if (scan_.peek() != '.' && scan_.peek() != '[') {
      scan_.back_to(end);
      break;
    }
    if (!segment(out)) return std::nullopt;
  }
  if (out.origin == Origin::document && document_ == Document::messages && !adopt_message(out, start))
    return std::nullopt;
  return out;
}

// The leading member name turns into the origin.
bool Parser::adopt_message(Query& query, size_t offset) {
  const Segment* first = query.segments.empty() ? nullptr : &query.segments.front();
  bool named = first != nullptr && !first->descendant && first->selectors.size() == 1 &&
               first->selectors[0].kind == Selector::Kind::name;
  std::string_view name = named ? first->selectors[0].name : std::string_view();
  if (name != "request" && name != "response") {
    bad_root_ = !scan_.fault();
    return fail(offset, "an expression begins with $.request or $.response");
  }
  query.origin = name == "request" ? Origin::request : Origin::response;
  query.segments.erase(query.segments.begin());
  return true;
}

bool Parser::segment(Query& query) {
  Segment out;
  out.descendant = scan_.take("..");
  bool dot = !out.descendant && scan_.take(".");
  if (!dot && scan_.peek() == '[') {
    if (!bracketed(out)) return false;
  } else if (scan_.take("*")) {
    out.selectors.push_back({.kind = Selector::Kind::every});
  } else if (scan_.at_member_name()) {
    out.selectors.push_back({.kind = Selector::Kind::name, .name = scan_.member_name()});
  } else {
    return scan_.unexpected(dot ? "a name or `*`" : "a name, `*` or `[`"), false;
  }
  Selector::Kind kind = out.selectors.front().kind;
  bool one = !out.descendant && out.selectors.size() == 1;
  query.singular = query.singular && one && (kind == Selector::Kind::name || kind == Selector::Kind::index);
  query.segments.push_back(std::move(out));
  return true;
}

bool Parser::bracketed(Segment& segment) {
  scan_.take("[");
  do {
    scan_.skip_blanks();
    auto one = selector();
    if (!one) return false;
    segment.selectors.push_back(*std::move(one));
    scan_.skip_blanks();
  } while (scan_.take(","));
  if (!scan_.take("]")) return scan_.unexpected("`,` or `]`"), false;
  return true;
}

std::optional<Selector> Parser::selector() {
  Selector out;
  char c = scan_.peek();
  if (c == '"' || c == '\'') {
    auto name = scan_.quoted();
    if (!name) return std::nullopt;
    out.kind = Selector::Kind::name;
    out.name = *std::move(name);
    return out;
  }
  if (scan_.take("*")) return out;
  if (scan_.take("?")) {
    auto filter = disjunction();
    if (!filter) return std::nullopt;
    out.kind = Selector::Kind::filter;
    out.filter = std::make_shared<const Logical>(*std::move(filter));
    return out;
  }
  if (c == '-' || c == ':' || (c >= '0' && c <= '9')) return index_or_slice(out) ? std::optional(out) : std::nullopt;
  scan_.unexpected("a selector");
  return std::nullopt;
}

bool Parser::index_or_slice(Selector& selector) {
  auto number = [this](std::optional<int64_t>& out) {
    char c = scan_.peek();
    if (c != '-' && (c < '0' || c > '9')) return true;
    return (out = scan_.integer()).has_value();
  };
  if (!number(selector.start)) return false;
  size_t end = scan_.at();
  scan_.skip_blanks();
  if (!scan_.take(":")) {
    scan_.back_to(end);
    selector.kind = Selector::Kind::index;
    return true;
  }
  selector.kind = Selector::Kind::slice;
  scan_.skip_blanks();
  if (!number(selector.end)) return false;
  scan_.skip_blanks();
  if (!scan_.take(":")) return true;
  scan_.skip_blanks();
  std::optional<int64_t> step;
  if (!number(step)) return false;
  selector.step = step.value_or(1);
  return true;
}

}  // namespace lunar::jsonpath
