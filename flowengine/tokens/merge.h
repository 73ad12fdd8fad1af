// Byte pair encoding of one piece in linear time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "flowengine/tokens/tables.h"

namespace lunar::tokens {

// The textbook merges the pair of the smallest rank over and over, which is quadratic, or n log n with a heap. This
// one uses that a sequence of tokens is what merging yields exactly if each two neighbours are what merging yields
// for their own bytes: it takes the longest token that gets along with the one before it, and goes back where none
// does. The tokens of each prefix are unique, so a position that was left by going back is never tried again.
class PieceEncoder {
 public:
  explicit PieceEncoder(const EncodingTables& tables) : tables_(tables) {}

  // The piece is not empty; the answer lasts until the next call.
  [[nodiscard]] const std::vector<Token>& encode(std::string_view piece);

 private:
  [[nodiscard]] Token longest_token(std::string_view text) const;
  [[nodiscard]] bool stay_apart(Token left, Token right) const;
  [[nodiscard]] Token fitting(Token left, Token right);  // `right`, or its longest prefix that stays apart from `left`
  [[nodiscard]] Token next_token(Token candidate, size_t at);  // it or a prefix of it
  [[nodiscard]] bool dead(size_t position) const { return (dead_[position / 64] >> (position % 64) & 1) != 0; }

  const EncodingTables& tables_;
  std::vector<Token> chosen_;
  std::vector<uint64_t> dead_;  // a bit for each position at which no token ends
  // The latest answers of fitting(): left 18, right 18, answer 18. Repetitive pieces, which are the hardest ones, ask
  // the same over and over.
  std::array<uint64_t, 1024> answers_{};
};

}  // namespace lunar::tokens
