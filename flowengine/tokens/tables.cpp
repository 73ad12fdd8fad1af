#include "flowengine/tokens/tables.h"

// clang-format off
asm(R"(
  .section .rodata.lunar_token_tables, "a", @progbits
  .balign 4096
  .hidden lunar_token_tables
  .globl lunar_token_tables
lunar_token_tables:
  .incbin ")" LUNAR_TOKEN_TABLES R"("
  .text
)");
// clang-format on

extern "C" const unsigned char lunar_token_tables[];

namespace lunar::tokens {
namespace {

// Offsets and sizes, behind eight bytes of a name: two for the character classes, five for each encoding.
const uint32_t* directory() { return reinterpret_cast<const uint32_t*>(lunar_token_tables + 8); }

template <class T>
const T* table(const unsigned char* blob, uint32_t offset) {
  return reinterpret_cast<const T*>(blob + offset);
}

}  // namespace

EncodingTables::EncodingTables(const unsigned char* blob, const uint32_t* own)
    : trie_(table<TrieUnit>(blob, own[0])),
      tokens_(table<TokenUnit>(blob, own[1])),
      pairs_(table<uint64_t>(blob, own[2])),
      pair_mask_(own[3]),
      token_count_(own[4]) {}

const EncodingTables& EncodingTables::of(Encoding encoding) {
  static const EncodingTables cl100k(lunar_token_tables, directory() + 2);
  static const EncodingTables o200k(lunar_token_tables, directory() + 7);
  return encoding == Encoding::cl100k_base ? cl100k : o200k;
}

CharTables char_tables() {
  return {.blocks = table<uint8_t>(lunar_token_tables, directory()[0]),
          .index = table<uint16_t>(lunar_token_tables, directory()[1])};
}

}  // namespace lunar::tokens
