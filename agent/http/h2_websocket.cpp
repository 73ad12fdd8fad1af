#include "agent/http/h2_websocket.h"

#include <array>
#include <bit>

namespace lunar::http {
namespace {

constexpr std::string_view websocket_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (size_t i = 0; i < 4; ++i) text.push_back(at + i > bytes.size() ? '=' : alphabet[group >> (18 - 6 * i) & 63]);
  }
  return text;
}

void put_big_endian(std::string& out, uint64_t number, unsigned size) {
  while (size-- > 0) out.push_back(static_cast<char>(number >> (8 * size)));
}

// One round of SHA-1: which function of the words, and the constant of its quarter (RFC 3174 §5).
uint32_t mixed(size_t round, uint32_t b, uint32_t c, uint32_t d) {
  if (round < 20) return ((b & c) | (~b & d)) + 0x5a827999U;
  if (round < 40) return (b ^ c ^ d) + 0x6ed9eba1U;
  if (round < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
  return (b ^ c ^ d) + 0xca62c1d6U;
}

void digest_block(std::string_view block, std::array<uint32_t, 5>& state) {
  std::array<uint32_t, 80> words{};
  for (size_t i = 0; i < 64; ++i) words[i / 4] = words[i / 4] << 8 | static_cast<unsigned char>(block[i]);
  for (size_t i = 16; i < 80; ++i) words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  auto [a, b, c, d, e] = state;
  for (size_t i = 0; i < 80; ++i) {
    uint32_t next = std::rotl(a, 5) + mixed(i, b, c, d) + e + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const std::array<uint32_t, 5> added{a, b, c, d, e};
  for (size_t i = 0; i < 5; ++i) state[i] += added[i];
}

// The protocol has fixed SHA-1 as a mark of the handshake; nothing rests on its strength.
std::string sha1(std::string_view text) {
  std::array<uint32_t, 5> state{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
  std::string padded(text);
  padded.push_back('\x80');
  while (padded.size() % 64 != 56) padded.push_back('\0');
  put_big_endian(padded, text.size() * 8, 8);
  for (size_t at = 0; at < padded.size(); at += 64) digest_block(std::string_view(padded).substr(at, 64), state);
  std::string digest;
  for (uint32_t word : state) put_big_endian(digest, word, 4);
  return digest;
}

uint64_t scattered(uint64_t number) {  // SplitMix64
  number += 0x9e3779b97f4a7c15U;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9U;
  number = (number ^ number >> 27) * 0x94d049bb133111ebU;
  return number ^ number >> 31;
}

}  // namespace

std::string websocket_key(uint64_t nonce) {
  std::string bytes;
  put_big_endian(bytes, scattered(nonce), 8);
  put_big_endian(bytes, scattered(~nonce), 8);
  return base64(bytes);
}

std::string websocket_accept(std::string_view key) { return base64(sha1(std::string(key).append(websocket_guid))); }

}  // namespace lunar::http
