#include "flowengine/tokens/merge.h"

#include <doctest/doctest.h>

#include <array>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "flowengine/tokens/tokens.h"

using namespace lunar;
using namespace lunar::tokens;

namespace {

Token find(const EncodingTables& tables, std::string_view bytes) {
  uint32_t unit = 0;
  for (const char byte : bytes) {
    unit = tables.child(unit, static_cast<unsigned char>(byte));
    if (unit == 0) return kNoToken;
  }
  return tables.token_at(unit);
}

// Byte pair encoding as it is defined: the pair of the smallest rank first, of equal ones the left one.
std::vector<Token> by_definition(const EncodingTables& tables, std::string_view piece) {
  if (const Token whole = find(tables, piece); whole != kNoToken) return {whole};
  std::vector<std::string_view> parts;
  for (size_t i = 0; i < piece.size(); ++i) parts.push_back(piece.substr(i, 1));
  for (;;) {
    size_t best = parts.size();
    Token smallest = kNoToken;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const Token rank = find(tables, {parts[i].data(), parts[i].size() + parts[i + 1].size()});
      if (rank >= smallest) continue;
      smallest = rank;
      best = i;
    }
    if (best == parts.size()) break;
    parts[best] = {parts[best].data(), parts[best].size() + parts[best + 1].size()};
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
  std::vector<Token> result;
  for (const std::string_view part : parts) result.push_back(find(tables, part));
  return result;
}

constexpr std::array kEncodings{Encoding::cl100k_base, Encoding::o200k_base};

std::string bytes_of(const EncodingTables& tables, Token token) {
  const TokenUnit& unit = tables[token];
  if (unit.length() > 1) return bytes_of(tables, unit.left()) + bytes_of(tables, unit.right());
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    if (find(tables, text) == token) return text;
  }
  return {};
}

double seconds_for(Encoding encoding, const std::string& text) {
  const clock_t begin = clock();
  CHECK(count_tokens(encoding, text) > 0);
  return static_cast<double>(clock() - begin) / CLOCKS_PER_SEC;
}

std::string repeated(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

}  // namespace

TEST_CASE("merge: every token is found as a whole, and its parts are where the tables say") {
  for (const Encoding encoding : kEncodings) {
    const EncodingTables& tables = EncodingTables::of(encoding);
    size_t faults = 0;
    for (Token token = 0; token < tables.token_count(); ++token) {
      const std::string bytes = bytes_of(tables, token);
      faults += bytes.size() != tables[token].length() || find(tables, bytes) != token;
      const Token prefix = tables[token].longest_prefix();
      faults += prefix != kNoToken && find(tables, bytes.substr(0, tables[prefix].length())) != prefix;
    }
    CHECK(faults == 0);
  }
}

TEST_CASE("merge: random words encode as the definition says") {
  std::mt19937 random(7);
  const std::vector<std::string> alphabets{"ab",
                                           "aA ",
                                           "etaoinshr",
                                           "abcdefghijklmnopqrstuvwxyz",
                                           " =-*\n\t",
                                           "\xc3\xa9\xa8\xe4\xb8\xad",
                                           "0123456789abcdef+/",
                                           "\xf0\x9f\x98\x80\x81\xe2\x80\x8d"};
  for (const Encoding encoding : kEncodings) {
    const EncodingTables& tables = EncodingTables::of(encoding);
    PieceEncoder encoder(tables);
    for (int round = 0; round < 6000; ++round) {
      const std::string& alphabet = alphabets[random() % alphabets.size()];
      std::string piece;
      for (size_t size = 1 + random() % 80; size > 0; --size) piece += alphabet[random() % alphabet.size()];
      CAPTURE(piece);
      REQUIRE(encoder.encode(piece) == by_definition(tables, piece));
    }
  }
}

TEST_CASE("merge: tokens side by side, cut anywhere, encode as the definition says") {
  std::mt19937 random(11);
  for (const Encoding encoding : kEncodings) {
    const EncodingTables& tables = EncodingTables::of(encoding);
    PieceEncoder encoder(tables);
    for (int round = 0; round < 6000; ++round) {
      std::string piece;
      for (size_t count = 1 + random() % 6; count > 0; --count)
        piece += bytes_of(tables, random() % tables.token_count());
      piece = piece.substr(random() % piece.size());
      CAPTURE(piece);
      REQUIRE(encoder.encode(piece) == by_definition(tables, piece));
    }
  }
}

TEST_CASE("merge: runs of one character of every length up to 300 encode as the definition says") {
  for (const Encoding encoding : kEncodings) {
    const EncodingTables& tables = EncodingTables::of(encoding);
    PieceEncoder encoder(tables);
    for (const char c : {'a', ' ', '=', '\n', '-', '\xff', '0'}) {
      for (size_t size = 1; size <= 300; size += size < 140 ? 1 : 13) {
        CAPTURE(size);
        const std::string piece(size, c);
        REQUIRE(encoder.encode(piece) == by_definition(tables, piece));
      }
    }
  }
}

TEST_CASE("merge: a word of one MiB takes eight times as long as one of 128 KiB, and not sixty-four") {
  for (const Encoding encoding : kEncodings) {
    for (const std::string_view unit : {"a", " ", "ab", "=", "qjxzkvw", "\xe4\xb8\xad", "\n"}) {
      CAPTURE(unit);
      const double small = seconds_for(encoding, repeated(unit, 128 << 10));
      const double large = seconds_for(encoding, repeated(unit, 1 << 20));
      CHECK(large < 24 * small + 0.05);
    }
  }
}
