// JSONPath text (RFC 9535) to its tree. Beyond the RFC: hyphens in shorthand names.
#pragma once

#include <expected>
#include <string_view>

#include "flowengine/expr/jsonpath_scanner.h"
#include "flowengine/expr/jsonpath_tree.h"

namespace lunar::jsonpath {

// What `$` stands for: any document, or a pair of messages of which every query has to name one first.
enum class Document : uint8_t { any, messages };

struct ParseFault {
  SyntaxFault fault;
  bool bad_root = false;
};

[[nodiscard]] std::expected<Query, ParseFault> parse_query(std::string_view text, Document document);

class Parser {
 public:
  Parser(std::string_view text, Document document) : scan_(text), document_(document) {}
  [[nodiscard]] std::expected<Query, ParseFault> run();

 private:
  // Of the types of RFC 9535 §2.4.1 that a function takes and gives.
  enum class Type : uint8_t { value, logical, nodes };
  struct Signature {
    std::string_view name;
    Function function;
    std::vector<Type> parameters;
    Type result;
  };
  class Nesting;

  bool fail(size_t offset, std::string text);
  std::optional<Query> query();
  bool adopt_message(Query& query, size_t offset);
  bool segment(Query& query);
  bool bracketed(Segment& segment);
  std::optional<Selector> selector();
  bool index_or_slice(Selector& selector);

  std::optional<Logical> disjunction();
  std::optional<Logical> conjunction();
  std::optional<Logical> basic();
  std::optional<Logical> group();
  std::optional<Logical> comparison_or_test(bool may_compare);
  std::optional<Logical> test(Operand operand, size_t start);
  std::optional<Comparison> comparison_operator();
  std::optional<Operand> operand();
  std::optional<Operand> literal_or_call();
  std::optional<Operand> call(std::string_view name, size_t start);
  bool arguments(Call& call, const Signature& signature);
  bool comparable(const Operand& operand, size_t start);
  static const std::vector<Signature>& signatures();
  static const Signature& signature_of(const Call& call);

  Scanner scan_;
  Document document_;
  bool bad_root_ = false;
  int depth_ = 0;
};

}  // namespace lunar::jsonpath
