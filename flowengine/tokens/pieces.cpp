#include "flowengine/tokens/pieces.h"

#include <array>

namespace lunar::tokens {
namespace {

bool is_letter(CharClass kind) {
  return kind == CharClass::upper || kind == CharClass::lower || kind == CharClass::letter;
}
bool is_blank(CharClass kind) { return kind == CharClass::space || kind == CharClass::newline; }
// [^\s\p{L}\p{N}]
bool is_symbol(CharClass kind) { return kind == CharClass::other || kind == CharClass::mark; }
// [^\r\n\p{L}\p{N}]
bool may_lead_word(CharClass kind) { return is_symbol(kind) || kind == CharClass::space; }
// [\p{Lm}\p{Lo}\p{M}], which count as upper and as lower case.
bool is_caseless(CharClass kind) { return kind == CharClass::letter || kind == CharClass::mark; }
bool is_upper_like(CharClass kind) { return kind == CharClass::upper || is_caseless(kind); }
bool is_lower_like(CharClass kind) { return kind == CharClass::lower || is_caseless(kind); }

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

constexpr std::array<CharClass, 128> kAscii = [] {
  std::array<CharClass, 128> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = CharClass::lower;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = CharClass::upper;
  for (int c = '0'; c <= '9'; ++c) table[c] = CharClass::number;
  for (const int c : {'\t', '\v', '\f', ' '}) table[c] = CharClass::space;
  for (const int c : {'\r', '\n'}) table[c] = CharClass::newline;
  return table;
}();

}  // namespace

PieceScanner::PieceScanner(Encoding encoding, std::string_view text)
    : chars_(char_tables()), encoding_(encoding), at_(text.data()), end_(text.data() + text.size()) {}

PieceScanner::Char PieceScanner::char_at(const char* at) const {
  if (at == end_) return {.end = nullptr, .kind = CharClass::other};
  const auto first = static_cast<unsigned char>(*at);
  return first < 0x80 ? Char{.end = at + 1, .kind = kAscii[first]} : wide_char_at(at);
}

PieceScanner::Char PieceScanner::wide_char_at(const char* at) const {
  const auto first = static_cast<unsigned char>(*at);
  const auto tail = [at](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(at[i]) & 0x3f); };
  if (first < 0xe0) return {.end = at + 2, .kind = chars_.of((first & 0x1fU) << 6 | tail(1))};
  if (first < 0xf0) return {.end = at + 3, .kind = chars_.of((first & 0x0fU) << 12 | tail(1) << 6 | tail(2))};
  const uint32_t code = (first & 0x07U) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
  return {.end = at + 4, .kind = chars_.of(code)};
}

template <class Test>
const char* PieceScanner::run_end(const char* at, Test test) const {
  for (Char next = char_at(at); next.end != nullptr && test(next.kind); next = char_at(at)) at = next.end;
  return at;
}

std::string_view PieceScanner::next() {
  const Char first = char_at(at_);
  const char* end = nullptr;
  if (encoding_ == Encoding::cl100k_base) {
    end = contraction(at_);
    if (end == nullptr) end = letters(first);
  } else {
    end = cased_word(first);
  }
  if (end == nullptr && first.kind == CharClass::number) end = digits();
  if (end == nullptr) end = symbols(first);
  if (end == nullptr) end = blanks();
  const std::string_view piece(at_, end);
  at_ = end;
  return piece;
}

// 's 't 're 've 'm 'll 'd in any case of ASCII
const char* PieceScanner::contraction(const char* at) const {
  if (end_ - at < 2 || *at != '\'') return nullptr;
  const char first = ascii_lower(at[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (end_ - at < 3) return nullptr;
  const char second = ascii_lower(at[2]);
  const bool known = (second == 'e' && (first == 'r' || first == 'v')) || (first == 'l' && second == 'l');
  return known ? at + 3 : nullptr;
}

// [^\r\n\p{L}\p{N}]?\p{L}+
const char* PieceScanner::letters(Char first) const {
  if (is_letter(first.kind)) return run_end(first.end, is_letter);
  if (!may_lead_word(first.kind)) return nullptr;
  const char* end = run_end(first.end, is_letter);
  return end == first.end ? nullptr : end;
}

// [^\r\n\p{L}\p{N}]?U*V+(…)?|[^\r\n\p{L}\p{N}]?U+V*(…)? where U is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], V
// [\p{Ll}\p{Lm}\p{Lo}\p{M}]
const char* PieceScanner::cased_word(Char first) const {
  if (is_letter(first.kind)) return with_contraction(cased_run(at_));
  if (!may_lead_word(first.kind)) return nullptr;
  const char* end = cased_run(first.end);
  // A mark that cannot lead what follows matches V+ by itself, before the second alternative has its turn.
  if (first.kind == CharClass::mark) {
    const char* upper_end = run_end(first.end, [](CharClass kind) { return kind == CharClass::upper; });
    if (end == nullptr || upper_end == end) end = first.end;
  }
  return end == nullptr ? nullptr : with_contraction(end);
}

// U*V+, or else U+. U* gives back what V+ needs: its last caseless character, if no lower-case letter follows.
const char* PieceScanner::cased_run(const char* at) const {
  const char* caseless_end = nullptr;
  const char* upper_end = at;
  Char next = char_at(at);
  for (; next.end != nullptr && is_upper_like(next.kind); next = char_at(upper_end)) {
    upper_end = next.end;
    if (is_caseless(next.kind)) caseless_end = next.end;
  }
  if (next.end != nullptr && next.kind == CharClass::lower) return run_end(next.end, is_lower_like);
  if (caseless_end != nullptr) return caseless_end;
  return upper_end == at ? nullptr : upper_end;
}

const char* PieceScanner::with_contraction(const char* at) const {
  const char* longer = contraction(at);
  return longer == nullptr ? at : longer;
}

// \p{N}{1,3}
const char* PieceScanner::digits() const {
  const char* at = at_;
  for (int i = 0; i < 3; ++i) {
    const Char next = char_at(at);
    if (next.end == nullptr || next.kind != CharClass::number) break;
    at = next.end;
  }
  return at;
}

// " ?[^\s\p{L}\p{N}]+[\r\n]*", and with a slash among the last ones in o200k_base
const char* PieceScanner::symbols(Char first) const {
  const char* begin = *at_ == ' ' ? first.end : at_;
  const char* end = run_end(begin, is_symbol);
  if (end == begin) return nullptr;
  while (end != end_ && (*end == '\r' || *end == '\n' || (*end == '/' && encoding_ == Encoding::o200k_base))) ++end;
  return end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
const char* PieceScanner::blanks() const {
  const char* after_newline = nullptr;
  const char* last = at_;
  const char* at = at_;
  for (Char next = char_at(at); next.end != nullptr && is_blank(next.kind); next = char_at(at)) {
    if (next.kind == CharClass::newline) after_newline = next.end;
    last = at;
    at = next.end;
  }
  if (after_newline != nullptr) return after_newline;
  return at == end_ || last == at_ ? at : last;
}

}  // namespace lunar::tokens
