#include "flowengine/tokens/well_formed.h"

#include <cstdint>
#include <cstring>

namespace lunar::tokens {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct Sequence {
  size_t size;  // of the whole sequence, or of the part before the byte that does not continue it; at least 1
  bool valid;
};

unsigned char byte_at(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

// What may follow a first byte: the second one has a narrower range behind E0, ED, F0 and F4.
struct Lead {
  size_t size;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
};

Lead lead_of(unsigned char first) {
  if (first < 0x80) return {.size = 1};
  if (first < 0xc2) return {.size = 0};
  if (first < 0xe0) return {.size = 2};
  if (first == 0xe0) return {.size = 3, .low = 0xa0};
  if (first == 0xed) return {.size = 3, .high = 0x9f};
  if (first < 0xf0) return {.size = 3};
  if (first == 0xf0) return {.size = 4, .low = 0x90};
  if (first == 0xf4) return {.size = 4, .high = 0x8f};
  if (first < 0xf4) return {.size = 4};
  return {.size = 0};
}

Sequence sequence_at(std::string_view text, size_t at) {
  Lead lead = lead_of(byte_at(text, at));
  if (lead.size == 0) return {.size = 1, .valid = false};
  for (size_t i = 1; i < lead.size; ++i) {
    if (at + i >= text.size()) return {.size = i, .valid = false};
    const unsigned char next = byte_at(text, at + i);
    if (next < lead.low || next > lead.high) return {.size = i, .valid = false};
    lead.low = 0x80;
    lead.high = 0xbf;
  }
  return {.size = lead.size, .valid = true};
}

size_t skip_ascii(std::string_view text, size_t at) {
  for (uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (at < text.size() && byte_at(text, at) < 0x80) ++at;
  return at;
}

}  // namespace

bool is_well_formed(std::string_view text) {
  for (size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const Sequence sequence = sequence_at(text, at);
    if (!sequence.valid) return false;
    at += sequence.size;
  }
  return true;
}

std::string well_formed(std::string_view text) {
  std::string result;
  result.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    const Sequence sequence = sequence_at(text, at);
    result += sequence.valid ? text.substr(at, sequence.size) : kReplacement;
    at += sequence.size;
  }
  return result;
}

}  // namespace lunar::tokens
