// The tables that make_tables.mjs lays out at build time, as they lie in the read-only part of the program: nothing is
// computed at start.
#pragma once

#include <bit>
#include <cstdint>

#include "flowengine/tokens/tokens.h"

namespace lunar::tokens {

static_assert(std::endian::native == std::endian::little, "the tables are written for little-endian machines");

// A token is its rank: of two merges, that into the smaller one comes first.
using Token = uint32_t;
inline constexpr Token kNoToken = (1U << 18) - 1;

// One state of a double-array trie over the bytes of all tokens.
struct TrieUnit {
  uint64_t bits;
  [[nodiscard]] uint32_t base() const { return bits & 0xfffff; }
  [[nodiscard]] uint32_t parent() const { return (bits >> 20) & 0xfffff; }
  [[nodiscard]] Token token() const { return (bits >> 40) & kNoToken; }  // whose bytes lead here
};

// `left` and `right` are what the token was before its last merge, or itself for a single byte.
struct TokenUnit {
  uint64_t bits;
  [[nodiscard]] Token left() const { return bits & kNoToken; }
  [[nodiscard]] Token right() const { return (bits >> 18) & kNoToken; }
  [[nodiscard]] Token longest_prefix() const { return (bits >> 36) & kNoToken; }  // the longest one that is a token
  [[nodiscard]] uint32_t length() const { return bits >> 54; }
};

class EncodingTables {
 public:
  static const EncodingTables& of(Encoding encoding);

  // The unit that follows behind `unit` for this byte, or 0, which is the root and follows nothing.
  [[nodiscard]] uint32_t child(uint32_t unit, unsigned char byte) const {
    const uint32_t next = trie_[unit].base() ^ byte;
    return trie_[next].parent() == unit ? next : 0;
  }
  [[nodiscard]] Token token_at(uint32_t unit) const { return trie_[unit].token(); }
  [[nodiscard]] const TokenUnit& operator[](Token token) const { return tokens_[token]; }
  [[nodiscard]] uint32_t token_count() const { return token_count_; }
  // What these two become when they are the last two of a token to be merged, or kNoToken.
  [[nodiscard]] Token merged(Token left, Token right) const {
    const uint64_t wanted = left | uint64_t{right} << 18;
    uint32_t at = hash(left, right) & pair_mask_;
    for (uint64_t pair = pairs_[at]; pair != kEmptyPair; at = (at + 1) & pair_mask_, pair = pairs_[at]) {
      if ((pair & kPairKey) == wanted) return static_cast<Token>(pair >> 36);
    }
    return kNoToken;
  }

 private:
  static constexpr uint64_t kEmptyPair = ~uint64_t{0};
  static constexpr uint64_t kPairKey = (uint64_t{1} << 36) - 1;

  EncodingTables(const unsigned char* blob, const uint32_t* directory);
  static uint32_t hash(Token left, Token right) {
    const uint32_t mixed = left * 0x9e3779b1U + right * 0x85ebca77U;
    return mixed ^ (mixed >> 15);
  }

  const TrieUnit* trie_;
  const TokenUnit* tokens_;
  const uint64_t* pairs_;
  uint32_t pair_mask_;
  uint32_t token_count_;
};

// What the regular expressions of the tokenizers tell apart.
enum class CharClass : uint8_t { other, newline, space, upper, lower, letter, mark, number };

struct CharTables {
  const uint8_t* blocks;  // of 128 code points
  const uint16_t* index;
  [[nodiscard]] CharClass of(uint32_t code) const {
    return static_cast<CharClass>(blocks[index[code >> 7] << 7 | (code & 127)]);
  }
};
[[nodiscard]] CharTables char_tables();

}  // namespace lunar::tokens
