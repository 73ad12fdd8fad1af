#include "tests/bench/peer/wire.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lunar::bench {

namespace {

constexpr std::string_view kTargetStart = "GET /v1/answers/";
constexpr std::string_view kTargetRest = "?size=";

std::optional<uint64_t> parse_decimal(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The value of the field `name` (written with its colon); gateways may change the case of names.
std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != std::string_view::npos) {
    std::string_view line = head.substr(at + 2);
    size_t end = line.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    if (end > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0) {
      std::string_view value = line.substr(name.size(), end - name.size());
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      return value;
    }
    at += 2 + end;
  }
  return std::nullopt;
}

}  // namespace

Pattern::Pattern() : bytes_(kPeriod + kSlice, '\0') {
  uint32_t state = 12345;
  for (size_t i = 0; i < kPeriod; ++i) {
    state = state * 1664525U + 1013904223U;
    bytes_[i] = static_cast<char>('!' + (state >> 16) % 94);
  }
  for (size_t i = kPeriod; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - kPeriod];
}

bool Pattern::matches(uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    size_t length = std::min(bytes.size(), kSlice);
    if (std::memcmp(bytes.data(), at(offset), length) != 0) return false;
    bytes.remove_prefix(length);
    offset += length;
  }
  return true;
}

Number number_text(uint64_t number) {
  Number text;
  for (size_t i = kNumberDigits; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  return text;
}

Request::Request(uint64_t body_size, Ending ending) {
  text_ = std::string(kTargetStart) + std::string(kNumberDigits, '0') + std::string(kTargetRest) +
          std::to_string(body_size) +
          " HTTP/1.1\r\n"
          "Host: api.example.com\r\n"
          "User-Agent: example-client/2.31 (linux; x86_64)\r\n"
          "Accept: application/json\r\n"
          "Accept-Encoding: gzip, deflate, br\r\n"
          "Authorization: Bearer 5f2b8c1de9a04476b3d0c7781e6fa52b\r\n"
          "X-Request-Source: checkout-service\r\n";
  if (ending == Ending::close) text_ += "Connection: close\r\n";
  text_ += "\r\n";
}

std::string_view Request::numbered(const Number& number) {
  std::ranges::copy(number, text_.begin() + kTargetStart.size());
  return text_;
}

size_t head_size(std::string_view bytes) {
  const void* end = memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
  return end == nullptr ? 0 : static_cast<const char*>(end) - bytes.data() + 4;
}

std::optional<Asked> parse_request(std::string_view head) {
  if (!head.starts_with(kTargetStart)) return std::nullopt;
  head.remove_prefix(kTargetStart.size());
  if (head.size() < kNumberDigits) return std::nullopt;
  Asked asked{};
  std::copy_n(head.data(), kNumberDigits, asked.number.begin());
  head.remove_prefix(kNumberDigits);
  size_t space = head.find(' ');
  if (!head.starts_with(kTargetRest) || space == std::string_view::npos) return std::nullopt;
  std::optional<uint64_t> size = parse_decimal(head.substr(kTargetRest.size(), space - kTargetRest.size()));
  if (!size || *size < kNumberDigits) return std::nullopt;
  asked.body_size = *size;
  bool close = field(head, "connection:") == "close" || head.substr(space).starts_with(" HTTP/1.0");
  asked.ending = close ? Ending::close : Ending::keep_alive;
  return asked;
}

std::optional<Answer> parse_answer(std::string_view head) {
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return std::nullopt;
  std::optional<uint64_t> status = parse_decimal(head.substr(9, 3));
  std::optional<std::string_view> length = field(head, "content-length:");
  if (!status || !length) return std::nullopt;
  std::optional<uint64_t> size = parse_decimal(*length);
  if (!size) return std::nullopt;
  return Answer{static_cast<int>(*status), *size};
}

std::string answer_head(uint64_t body_size, Ending ending) {
  return "HTTP/1.1 200 OK\r\n"
         "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
         "Server: bench-origin\r\n"
         "Content-Type: application/json\r\n"
         "Cache-Control: no-store\r\n"
         "X-Request-Id: 7c9e6679-7425-40de-944b-e07fc1f90ae7\r\n"
         "Content-Length: " +
         std::to_string(body_size) + (ending == Ending::close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n");
}

}  // namespace lunar::bench
