// A finding in a configuration file, and its one printed form (flows.md §1.3).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lunar {

enum class Severity : uint8_t { error, warning, note };
[[nodiscard]] std::string_view severity_name(Severity severity);

// 1-based; columns count code points. Line 0: the file as a whole, or no file at all.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
  auto operator<=>(const Position&) const = default;
};

struct Diagnostic {
  std::string file;  // relative to the configuration root
  Position at;
  Severity severity = Severity::error;
  std::string id;    // stable, as `bad-type`
  std::string text;  // says what is wrong and, where there is one, the way out; may quote any character of the file

  [[nodiscard]] std::string print() const;  // flows/limit.yaml:12:9: error: text [id]; one line, nothing below 0x20
  bool operator==(const Diagnostic&) const = default;
};

// The findings of one operation, in the order in which they were made.
class Diagnostics {
 public:
  void add(Diagnostic finding) { list_.push_back(std::move(finding)); }
  [[nodiscard]] const std::vector<Diagnostic>& list() const { return list_; }
  [[nodiscard]] bool has_errors() const {
    return std::ranges::any_of(list_, [](const Diagnostic& one) { return one.severity == Severity::error; });
  }
  [[nodiscard]] const Diagnostic* first_error() const {
    auto found = std::ranges::find(list_, Severity::error, &Diagnostic::severity);
    return found == list_.end() ? nullptr : &*found;
  }

 private:
  std::vector<Diagnostic> list_;
};

}  // namespace lunar
