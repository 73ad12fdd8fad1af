// The parameters of a processor type as a table, and the arguments that a declaration gives for them. The table is
// what checks, defaults, the JSON schema and the documentation are made from.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/spec/reader.h"

namespace lunar {

enum class ParameterKind : uint8_t { integer, number, boolean, text, texts, choice, numbers, map, any };

struct Parameter {
  std::string_view name;
  ParameterKind kind = ParameterKind::text;
  bool required = false;
  std::string_view fallback;  // as it would be written; empty: absent
  double low = std::numeric_limits<double>::lowest();
  double high = std::numeric_limits<double>::max();
  std::span<const std::string_view> choices;
  std::string_view help;
};

// The members of one `parameters` list. Each accessor converts as flows.md §1.4 says, adds a finding where that does
// not work, and gives the default then. Names are those of the table; another one is a fault of the program.
class Arguments {
 public:
  struct Given {
    std::string key;
    Position key_at;
    const Value* value = nullptr;
  };

  Arguments(std::span<const Parameter> table, std::vector<Given> given, Position declared_at, Reader& reader);

  [[nodiscard]] bool has(std::string_view name) const { return value(name) != nullptr; }
  [[nodiscard]] const Value* value(std::string_view name) const;  // null where it is absent
  [[nodiscard]] Position at(std::string_view name) const;         // of the value, else of the declaration
  [[nodiscard]] const std::vector<Given>& given() const { return given_; }
  [[nodiscard]] Reader& reader() { return reader_; }
  [[nodiscard]] std::string_view file() const { return reader_.file(); }

  [[nodiscard]] int64_t integer(std::string_view name);
  [[nodiscard]] double number(std::string_view name);
  [[nodiscard]] bool flag(std::string_view name);
  [[nodiscard]] std::string text(std::string_view name);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);
  [[nodiscard]] std::vector<double> numbers(std::string_view name);
  [[nodiscard]] size_t choice(std::string_view name);
  // name -> value; empty where absent or no mapping.
  [[nodiscard]] std::vector<const Entry*> map(std::string_view name);

 private:
  [[nodiscard]] const Parameter& parameter(std::string_view name) const;

  std::span<const Parameter> table_;
  std::vector<Given> given_;
  Position declared_at_;
  Reader& reader_;
};

// A warning for each key that neither the table nor `accepts` knows; an error for each required one that is missing.
struct ArgumentRules {
  std::span<const Parameter> table;
  bool (*accepts)(std::string_view key) = nullptr;
  std::string_view processor;  // the key of the declaration, for the text
};
void check_arguments(const Arguments& arguments, const ArgumentRules& rules, Reader& reader, Position declared_at);

}  // namespace lunar
