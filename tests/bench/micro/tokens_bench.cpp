// Megabytes a second of the token counter: prose, code, and what is hardest for a tokenizer; one core, the best of
// several rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include "flowengine/tokens/tokens.h"

using namespace lunar;

namespace {

constexpr size_t kBytes = 1 << 20;

constexpr std::string_view kProse =
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness; we "
    "had everything before us, we'd nothing before us, and some of its noisiest authorities insisted on its being "
    "received, for good or for evil, in the superlative degree of comparison only, 1775 years ago.\n\n";
constexpr std::string_view kCode =
    "template <class Key>\nstd::optional<size_t> find_index(const std::vector<Key>& list, const Key& wanted) {\n"
    "  for (size_t i = 0; i < list.size(); ++i) {\n    if (list[i] == wanted) return i;  // the first one\n  }\n"
    "  return std::nullopt;\n}\n\n";
constexpr std::string_view kScripts =
    "Съешь же ещё этих мягких французских булок, да выпей чаю. 我能吞下玻璃而不伤身体。人工智能正在改变世界! "
    "नमस्ते दुनिया, यह एक परीक्षण है। نص حكيم له سر قاطع وذو شأن عظيم "
    "😀👩‍👩‍👧‍👦 ";

std::string repeated(std::string_view unit) {
  std::string text;
  while (text.size() < kBytes) text += unit;
  return text;
}

std::string drawn(std::string_view alphabet) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kBytes) text += alphabet[random() % alphabet.size()];
  return text;
}

double seconds(Encoding encoding, const std::string& text, size_t& tokens) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    tokens = count_tokens(encoding, text);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

void report(const char* name, const std::string& text) {
  std::printf("%-28s", name);
  for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
    size_t tokens = 0;
    const double spent = seconds(encoding, text, tokens);
    std::printf("  %8.1f MB/s (%zu tokens)", static_cast<double>(text.size()) / spent / 1e6, tokens);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::printf("%-28s  %-32s  %s\n", "1 MiB of", "cl100k_base", "o200k_base");
  report("prose", repeated(kProse));
  report("code", repeated(kCode));
  report("prose in many scripts", repeated(kScripts));
  report("base64", drawn(base64));
  report("digits", drawn("0123456789"));
  report("random bytes", drawn("\x01\x80\xff\xe2z\xc3\x20"));
  report("one word of random letters", drawn(base64.substr(26, 26)));
  report("one word: aaaa", repeated("a"));
  report("one word: abab", repeated("ab"));
  report("one word of two letters", drawn("ab"));
  report("one run of blanks", repeated(" "));
  report("one run of newlines", repeated("\n"));
  report("one run of ====", repeated("="));
  report("one word of ideographs", repeated("\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97"));
}
