// Values of a document as C++ types, with the coercions of flows.md §1.4. Each reader adds a finding where the value
// does not fit, and returns nothing then.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/diagnostic.h"
#include "flowengine/spec/value.h"

namespace lunar {

template <class Number>
struct Range {
  Number low = std::numeric_limits<Number>::lowest();
  Number high = std::numeric_limits<Number>::max();
};

class Reader {
 public:
  // Whether a coercion that usually warns is expected at this place.
  enum class Coercion : uint8_t { warns, silent };

  Reader(std::string_view file, Diagnostics& out) : file_(file), out_(out) {}

  [[nodiscard]] std::optional<int64_t> integer(const Value& value, Range<int64_t> range = {});
  [[nodiscard]] std::optional<double> number(const Value& value, Range<double> range = {});
  [[nodiscard]] std::optional<bool> boolean(const Value& value);
  [[nodiscard]] std::optional<std::string> string(const Value& value, Coercion coercion = Coercion::warns);
  // One scalar is a list of one. The pointers live as long as `value`; null items are left out.
  [[nodiscard]] std::optional<std::vector<const Value*>> list(const Value& value, Coercion coercion = Coercion::warns);
  [[nodiscard]] std::optional<std::vector<std::string>> strings(const Value& value,
                                                                Coercion coercion = Coercion::warns);
  // Index of the name.
  [[nodiscard]] std::optional<size_t> choice(const Value& value, std::span<const std::string_view> names);
  [[nodiscard]] bool map(const Value& value);  // whether it is one

  // A warning for every key that is not among `known`.
  void warn_unknown_keys(const Value& map, std::span<const std::string_view> known);

  [[nodiscard]] std::string_view file() const { return file_; }
  void note(Position at, std::string_view id, std::string text) { add(at, Severity::note, id, std::move(text)); }
  void error(Position at, std::string_view id, std::string text) { add(at, Severity::error, id, std::move(text)); }
  void warn(Position at, std::string_view id, std::string text) { add(at, Severity::warning, id, std::move(text)); }

 private:
  void add(Position at, Severity severity, std::string_view id, std::string text);
  void bad_type(const Value& value, std::string_view wanted);
  void coerced(const Value& value, std::string_view used);

  std::string file_;
  Diagnostics& out_;
};

// How a value is named in a finding: `"text"`, `12`, `a list`, `a mapping`.
[[nodiscard]] std::string describe(const Value& value);

}  // namespace lunar
