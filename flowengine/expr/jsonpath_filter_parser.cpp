#include <algorithm>
#include <utility>

#include "flowengine/expr/jsonpath_parser.h"

namespace lunar::jsonpath {
namespace {

constexpr int deepest_nesting = 64;

using CallPointer = std::shared_ptr<const Call>;

}  // namespace

// Counts how deep filters, groups and calls stand in each other, so that no text exhausts the stack.
class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.depth_; }
  ~Nesting() { --parser_.depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  [[nodiscard]] bool too_deep() const {
    return parser_.depth_ > deepest_nesting && !parser_.fail(parser_.scan_.at(), "nested too deeply");
  }

 private:
  Parser& parser_;
};

const std::vector<Parser::Signature>& Parser::signatures() {
  static const std::vector<Signature> all = {
      {"length", Function::length, {Type::value}, Type::value},
      {"count", Function::count, {Type::nodes}, Type::value},
      {"value", Function::value, {Type::nodes}, Type::value},
      {"match", Function::match, {Type::value, Type::value}, Type::logical},
      {"search", Function::search, {Type::value, Type::value}, Type::logical},
  };
  return all;
}

const Parser::Signature& Parser::signature_of(const Call& call) {
  return *std::ranges::find(signatures(), call.function, &Signature::function);
}

std::optional<Logical> Parser::disjunction() {
  Nesting nesting(*this);
  if (nesting.too_deep()) return std::nullopt;
  Logical out{.kind = Logical::Kind::any};
  do {
    auto part = conjunction();
    if (!part) return std::nullopt;
    out.parts.push_back(*std::move(part));
    scan_.skip_blanks();
  } while (scan_.take("||"));
  return out.parts.size() == 1 ? std::move(out.parts.front()) : std::move(out);
}

std::optional<Logical> Parser::conjunction() {
  Logical out{.kind = Logical::Kind::all};
  do {
    scan_.skip_blanks();
    auto part = basic();
    if (!part) return std::nullopt;
    out.parts.push_back(*std::move(part));
    scan_.skip_blanks();
  } while (scan_.take("&&"));
  return out.parts.size() == 1 ? std::move(out.parts.front()) : std::move(out);
}

std::optional<Logical> Parser::basic() {
  bool negated = scan_.take("!");
  if (negated) scan_.skip_blanks();
  auto inner = scan_.peek() == '(' ? group() : comparison_or_test(!negated);
  if (!inner || !negated) return inner;
  Logical out{.kind = Logical::Kind::negated};
  out.parts.push_back(*std::move(inner));
  return out;
}

std::optional<Logical> Parser::group() {
  scan_.take("(");
  auto out = disjunction();
  if (!out) return std::nullopt;
  scan_.skip_blanks();
  if (scan_.take(")")) return out;
  scan_.unexpected("`)`");
  return std::nullopt;
}

std::optional<Comparison> Parser::comparison_operator() {
  static constexpr std::pair<std::string_view, Comparison> operators[] = {
      {"==", Comparison::equal},         {"!=", Comparison::unequal},
      {"<=", Comparison::less_or_equal}, {">=", Comparison::greater_or_equal},
      {"<", Comparison::less},           {">", Comparison::greater},
  };
  for (auto [text, meaning] : operators)
    if (scan_.take(text)) return meaning;
  return std::nullopt;
}

std::optional<Logical> Parser::comparison_or_test(bool may_compare) {
  size_t start = scan_.at();
  auto left = operand();
  if (!left) return std::nullopt;
  size_t end = scan_.at();
  scan_.skip_blanks();
  auto comparison = may_compare ? comparison_operator() : std::nullopt;
  if (!comparison) {
    scan_.back_to(end);
    return test(*std::move(left), start);
  }
  scan_.skip_blanks();
  size_t right_start = scan_.at();
  auto right = operand();
  if (!right || !comparable(*left, start) || !comparable(*right, right_start)) return std::nullopt;
  Logical out{.kind = Logical::Kind::compared, .comparison = *comparison};
  out.operands.push_back(*std::move(left));
  out.operands.push_back(*std::move(right));
  return out;
}

std::optional<Logical> Parser::test(Operand operand, size_t start) {
  Logical out{.kind = Logical::Kind::exists};
  if (std::holds_alternative<Json>(operand))
    return fail(start, "a literal tests nothing; compare it with something"), std::nullopt;
  if (const auto* call = std::get_if<CallPointer>(&operand)) {
    const Signature& signature = signature_of(**call);
    if (signature.result != Type::logical)
      return fail(start, "the result of " + std::string(signature.name) + "() has to be compared"), std::nullopt;
    out.kind = Logical::Kind::called;
  }
  out.operands.push_back(std::move(operand));
  return out;
}

bool Parser::comparable(const Operand& operand, size_t start) {
  if (const auto* query = std::get_if<Query>(&operand); query != nullptr && !query->singular)
    return fail(start, "only a query for a single value can be compared");
  const auto* call = std::get_if<CallPointer>(&operand);
  if (call == nullptr || signature_of(**call).result == Type::value) return true;
  return fail(start, "the result of " + std::string(signature_of(**call).name) + "() cannot be compared");
}

std::optional<Operand> Parser::operand() {
  char c = scan_.peek();
  if (c == '$' || c == '@') {
    auto out = query();
    return out ? std::optional<Operand>(*std::move(out)) : std::nullopt;
  }
  if (c == '"' || c == '\'') {
    auto out = scan_.quoted();
    return out ? std::optional<Operand>(Json(*std::move(out))) : std::nullopt;
  }
  if (c == '-' || (c >= '0' && c <= '9')) {
    auto out = scan_.number();
    return out ? std::optional<Operand>(*std::move(out)) : std::nullopt;
  }
  return literal_or_call();
}

std::optional<Operand> Parser::literal_or_call() {
  size_t start = scan_.at();
  std::string name = scan_.function_name();
  if (name.empty()) return scan_.unexpected("a query, a literal or a function"), std::nullopt;
  if (scan_.peek() == '(') return call(name, start);
  if (name == "null") return Json();
  if (name == "true" || name == "false") return Json(name == "true");
  fail(start, "`" + name + "` is neither a literal nor a call; texts stand in quotes");
  return std::nullopt;
}

std::optional<Operand> Parser::call(std::string_view name, size_t start) {
  Nesting nesting(*this);
  if (nesting.too_deep()) return std::nullopt;
  auto signature = std::ranges::find(signatures(), name, &Signature::name);
  if (signature == signatures().end())
    return fail(start, "there is no function " + std::string(name) + "()"), std::nullopt;
  scan_.take("(");
  Call out{.function = signature->function};
  if (!arguments(out, *signature)) return std::nullopt;
  if (out.arguments.size() < signature->parameters.size())
    return fail(start, std::string(name) + "() has too few arguments"), std::nullopt;
  if (signature->result == Type::logical) {
    const auto* literal = std::get_if<Json>(&out.arguments[1]);
    if (literal != nullptr && literal->is_string()) {
      auto regex = Regex::compile(interoperable_pattern(literal->get_ref<const std::string&>()));
      if (regex) out.regex = *std::move(regex);
    }
  }
  return std::make_shared<const Call>(std::move(out));
}

// Up to and with the closing parenthesis.
bool Parser::arguments(Call& call, const Signature& signature) {
  scan_.skip_blanks();
  if (scan_.take(")")) return true;
  do {
    scan_.skip_blanks();
    size_t start = scan_.at();
    if (call.arguments.size() == signature.parameters.size())
      return fail(start, std::string(signature.name) + "() has too many arguments");
    bool wants_nodes = signature.parameters[call.arguments.size()] == Type::nodes;
    auto argument = operand();
    if (!argument) return false;
    if (wants_nodes && !std::holds_alternative<Query>(*argument))
      return fail(start, std::string(signature.name) + "() wants a query");
    if (!wants_nodes && !comparable(*argument, start)) return false;
    call.arguments.push_back(*std::move(argument));
    scan_.skip_blanks();
  } while (scan_.take(","));
  if (!scan_.take(")")) return scan_.unexpected("`,` or `)`"), false;
  return true;
}

}  // namespace lunar::jsonpath
