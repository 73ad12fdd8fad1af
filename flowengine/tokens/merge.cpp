#include "flowengine/tokens/merge.h"

namespace lunar::tokens {
namespace {
constexpr uint64_t kAnswered = uint64_t{1} << 36;  // an entry that was never written is 0, and so is a pair
constexpr int kAnswerShift = 37;
constexpr uint64_t kQuestion = (uint64_t{1} << kAnswerShift) - 1;
}  // namespace

const std::vector<Token>& PieceEncoder::encode(std::string_view piece) {
  Token candidate = longest_token(piece);
  chosen_.clear();
  if (tables_[candidate].length() == piece.size()) {
    chosen_.push_back(candidate);
    return chosen_;
  }
  dead_.assign(piece.size() / 64 + 1, 0);
  size_t at = 0;
  while (at < piece.size()) {
    const Token token = next_token(candidate, at);
    if (token != kNoToken) {
      chosen_.push_back(token);
      at += tables_[token].length();
      candidate = longest_token(piece.substr(at));
      continue;
    }
    dead_[at / 64] |= uint64_t{1} << (at % 64);
    candidate = chosen_.back();
    chosen_.pop_back();
    at -= tables_[candidate].length();
  }
  return chosen_;
}

// kNoToken for an empty text alone, as every byte is a token.
Token PieceEncoder::longest_token(std::string_view text) const {
  Token longest = kNoToken;
  uint32_t unit = 0;
  for (const char byte : text) {
    unit = tables_.child(unit, static_cast<unsigned char>(byte));
    if (unit == 0) break;
    if (const Token token = tables_.token_at(unit); token != kNoToken) longest = token;
  }
  return longest;
}

Token PieceEncoder::next_token(Token candidate, size_t at) {
  while (candidate != kNoToken) {
    if (!chosen_.empty()) candidate = fitting(chosen_.back(), candidate);
    if (candidate == kNoToken || !dead(at + tables_[candidate].length())) break;
    candidate = tables_[candidate].longest_prefix();
  }
  return candidate;
}

Token PieceEncoder::fitting(Token left, Token right) {
  const uint64_t question = left | uint64_t{right} << 18 | kAnswered;
  uint64_t& entry = answers_[(left * 0x9e3779b1U ^ right * 0x85ebca77U) >> 22];
  if ((entry & kQuestion) != question) {
    Token fit = right;
    while (fit != kNoToken && !stay_apart(left, fit)) fit = tables_[fit].longest_prefix();
    entry = question | uint64_t{fit} << kAnswerShift;
  }
  return static_cast<Token>(entry >> kAnswerShift);
}

// Takes back the merges that led to the two tokens, the latest first: had the parts at the border been merged with
// each other before that merge, then the two would not stand there.
bool PieceEncoder::stay_apart(Token left, Token right) const {
  Token limit = kNoToken;
  for (;;) {
    if (tables_.merged(left, right) < limit) return false;
    const Token inner_left = tables_[left].right();
    const Token inner_right = tables_[right].left();
    const bool left_is_byte = inner_left == left;
    const bool right_is_byte = inner_right == right;
    if (left_is_byte && right_is_byte) return true;
    if (!left_is_byte && (left > right || right_is_byte)) {
      limit = left;
      left = inner_left;
    } else {
      limit = right + 1;  // of equal ranks the left one is merged first
      right = inner_right;
    }
  }
}

}  // namespace lunar::tokens
