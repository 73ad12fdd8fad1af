// The pieces into which the tokenizers cut a text before they encode each by itself: their published regular
// expressions as scanners that never go back further than one run of characters.
#pragma once

#include <string_view>

#include "flowengine/tokens/tables.h"

namespace lunar::tokens {

class PieceScanner {
 public:
  PieceScanner(Encoding encoding, std::string_view text);  // text is well-formed UTF-8 and outlives the scanner

  [[nodiscard]] bool done() const { return at_ == end_; }
  [[nodiscard]] std::string_view next();  // never empty

 private:
  struct Char {
    const char* end;  // where the next one begins; null behind the last one
    CharClass kind;
  };

  [[nodiscard]] Char char_at(const char* at) const;
  [[nodiscard]] Char wide_char_at(const char* at) const;
  template <class Test>
  [[nodiscard]] const char* run_end(const char* at, Test test) const;

  // Each is one alternative of the regular expression: where its match ends, or null.
  [[nodiscard]] const char* contraction(const char* at) const;
  [[nodiscard]] const char* letters(Char first) const;        // cl100k_base
  [[nodiscard]] const char* cased_word(Char first) const;     // o200k_base, both alternatives
  [[nodiscard]] const char* cased_run(const char* at) const;  // the same behind the optional first character
  [[nodiscard]] const char* with_contraction(const char* at) const;
  [[nodiscard]] const char* digits() const;
  [[nodiscard]] const char* symbols(Char first) const;
  [[nodiscard]] const char* blanks() const;

  CharTables chars_;
  Encoding encoding_;
  const char* at_;
  const char* end_;
};

}  // namespace lunar::tokens
