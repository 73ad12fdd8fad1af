// Answers for compare.mjs: reads texts, each behind its length as a decimal line, and prints a line for each with the
// counts of both encodings and hashes of their tokens. With --models reads a name a line and prints its encoding, or
// "fallback".
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "flowengine/tokens/merge.h"
#include "flowengine/tokens/pieces.h"
#include "flowengine/tokens/tokens.h"
#include "flowengine/tokens/well_formed.h"

using namespace lunar;

namespace {

void answer_models() {
  for (std::string name; std::getline(std::cin, name);) {
    const ModelEncoding found = encoding_of_model(name);
    std::cout << (found.fell_back ? "fallback" : encoding_name(found.encoding)) << '\n';
  }
}

// FNV-1a over the numbers of the tokens.
uint32_t token_hash(Encoding encoding, const std::string& text) {
  const std::string whole = tokens::well_formed(text);
  tokens::PieceEncoder encoder(tokens::EncodingTables::of(encoding));
  uint32_t hash = 2166136261;
  for (tokens::PieceScanner scanner(encoding, whole); !scanner.done();) {
    for (const tokens::Token token : encoder.encode(scanner.next())) hash = (hash ^ token) * 16777619;
  }
  return hash;
}

void answer_texts() {
  for (std::string line; std::getline(std::cin, line);) {
    std::string text(std::stoul(line), '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base})
      std::cout << count_tokens(encoding, text) << ' ' << token_hash(encoding, text) << ' ';
    std::cout << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  if (argc > 1 && std::string_view(argv[1]) == "--models")
    answer_models();
  else
    answer_texts();
}
