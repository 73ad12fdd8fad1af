// The words of a JSONPath text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flowengine/expr/json.h"
#include "flowengine/expr/syntax_fault.h"

namespace lunar::jsonpath {

// Readers return nothing after they have noted what is wrong; the first fault stays.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] size_t at() const { return at_; }
  void back_to(size_t offset) { at_ = offset; }
  [[nodiscard]] bool done() const { return at_ == text_.size(); }
  [[nodiscard]] char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view token);
  void skip_blanks();

  [[nodiscard]] bool at_member_name() const;
  [[nodiscard]] std::string member_name();  // may be called where at_member_name()
  [[nodiscard]] std::string function_name();
  [[nodiscard]] std::optional<std::string> quoted();
  [[nodiscard]] std::optional<int64_t> integer();
  [[nodiscard]] std::optional<Json> number();

  void fail(size_t offset, std::string text);
  void unexpected(std::string_view wanted);  // at the place where the scanner stands
  [[nodiscard]] const std::optional<SyntaxFault>& fault() const { return fault_; }

 private:
  [[nodiscard]] std::optional<std::string> escape(char quote);
  [[nodiscard]] std::optional<uint32_t> code_unit();
  bool digits();

  std::string_view text_;
  size_t at_ = 0;
  std::optional<SyntaxFault> fault_;
};

}  // namespace lunar::jsonpath
