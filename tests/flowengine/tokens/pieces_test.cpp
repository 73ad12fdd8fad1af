#include "flowengine/tokens/pieces.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace lunar;
using namespace lunar::tokens;

namespace {

using Pieces = std::vector<std::string>;

Pieces pieces(Encoding encoding, std::string_view text) {
  Pieces found;
  for (PieceScanner scanner(encoding, text); !scanner.done();) found.emplace_back(scanner.next());
  return found;
}
Pieces cl100k(std::string_view text) { return pieces(Encoding::cl100k_base, text); }
Pieces o200k(std::string_view text) { return pieces(Encoding::o200k_base, text); }

}  // namespace

TEST_CASE("pieces: a word takes one character before it along") {
  CHECK(cl100k("Hello world!x (y)\tz") == Pieces{"Hello", " world", "!x", " (", "y", ")", "\tz"});
  CHECK(o200k("Hello world!x (y)\tz") == Pieces{"Hello", " world", "!x", " (", "y", ")", "\tz"});
}

TEST_CASE("pieces: contractions are pieces in cl100k and ends of words in o200k") {
  CHECK(cl100k("it's we'LL 'x") == Pieces{"it", "'s", " we", "'LL", " '", "x"});
  CHECK(o200k("it's we'LL 'x") == Pieces{"it's", " we'LL", " '", "x"});
  CHECK(cl100k("'reX") == Pieces{"'re", "X"});
  CHECK(o200k("'reX") == Pieces{"'re", "X"});
  CHECK(o200k("a'r") == Pieces{"a", "'r"});
}

TEST_CASE("pieces: o200k cuts before an upper-case letter that follows a lower-case one") {
  CHECK(o200k("getHTTPCode") == Pieces{"get", "HTTPCode"});
  CHECK(cl100k("getHTTPCode") == Pieces{"getHTTPCode"});
}

TEST_CASE("pieces: a caseless letter ends the part of a word from which upper-case letters follow") {
  CHECK(o200k("中AB") == Pieces{"中", "AB"});
  CHECK(o200k("A中AB") == Pieces{"A中", "AB"});
  CHECK(o200k("A中ABc") == Pieces{"A中ABc"});
  CHECK(o200k("ABC") == Pieces{"ABC"});
}

TEST_CASE("pieces: a combining mark is part of words in o200k and a symbol in cl100k") {
  const std::string mark = "\u0301";
  CHECK(o200k("e" + mark + "f") == Pieces{"e" + mark + "f"});
  CHECK(cl100k("e" + mark + "f") == Pieces{"e", mark + "f"});
  CHECK(o200k(mark + "AB") == Pieces{mark, "AB"});
  CHECK(o200k(mark + "ab") == Pieces{mark + "ab"});
  CHECK(o200k(mark + " ") == Pieces{mark, " "});
  CHECK(o200k(mark + mark + "A") == Pieces{mark + mark, "A"});
}

TEST_CASE("pieces: at most three digits go together, of whatever script") {
  CHECK(cl100k("12345") == Pieces{"123", "45"});
  CHECK(o200k("٣٤٥٦½") == Pieces{"٣٤٥", "٦½"});
  CHECK(o200k(" 1") == Pieces{" ", "1"});
}

TEST_CASE("pieces: symbols take newlines along, and in o200k slashes") {
  CHECK(cl100k("a;\r\n//b") == Pieces{"a", ";\r\n", "//", "b"});
  CHECK(cl100k(" {\n/x") == Pieces{" {\n", "/x"});
  CHECK(o200k(" {\n/x") == Pieces{" {\n/", "x"});
}

TEST_CASE("pieces: a run of blanks goes up to its last newline, and leaves its last blank to what follows") {
  CHECK(cl100k("a \n \n  b") == Pieces{"a", " \n \n", " ", " b"});
  CHECK(cl100k("a   b") == Pieces{"a", "  ", " b"});
  CHECK(cl100k("a   1") == Pieces{"a", "  ", " ", "1"});
  CHECK(cl100k("a   ") == Pieces{"a", "   "});
  CHECK(cl100k("\n") == Pieces{"\n"});
  CHECK(cl100k(" \u3000x") == Pieces{" ", "\u3000x"});
}

TEST_CASE("pieces: blanks are those of JavaScript: U+FEFF is one and U+0085 is none") {
  CHECK(cl100k("1\ufeff\ufeff1") == Pieces{"1", "\ufeff", "\ufeff", "1"});
  CHECK(cl100k("1\u0085\u0085"
               "1") == Pieces{"1", "\u0085\u0085", "1"});
}

TEST_CASE("pieces: together they are the text, wherever it is cut off") {
  const std::string text = "It's (Ünï) \u0301A\r\n\r\n  12٣4 中文AB'll //\n/ \U0001F468\u200d\U0001F469\u3000x  ";
  for (size_t size = 0; size <= text.size(); ++size) {
    if (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) continue;
    for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
      std::string joined;
      for (const std::string& piece : pieces(encoding, text.substr(0, size))) {
        CHECK_FALSE(piece.empty());
        joined += piece;
      }
      CHECK(joined == text.substr(0, size));
    }
  }
}
