// The one exchange that the bench speaks: a numbered request of about 300 bytes, and an answer whose body
// begins with the number and goes on with a pattern, so that a lost, doubled or crossed byte is seen.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar::bench {

inline constexpr size_t kNumberDigits = 10;

// Body bytes behind the number. The period is a prime: no shift by a buffer length goes unnoticed.
class Pattern {
 public:
  static constexpr size_t kSlice = 256UL << 10;  // so many bytes are readable from any offset on

  Pattern();
  [[nodiscard]] const char* at(uint64_t offset) const { return bytes_.data() + offset % kPeriod; }
  [[nodiscard]] bool matches(uint64_t offset, std::string_view bytes) const;

 private:
  static constexpr size_t kPeriod = 65521;
  std::string bytes_;
};

using Number = std::array<char, kNumberDigits>;
[[nodiscard]] Number number_text(uint64_t number);

enum class Ending : bool { keep_alive, close };

// One request text that is numbered in place before each use.
class Request {
 public:
  Request(uint64_t body_size, Ending ending);
  [[nodiscard]] std::string_view numbered(const Number& number);

 private:
  std::string text_;
};

struct Asked {
  Number number;
  uint64_t body_size;
  Ending ending;
};

struct Answer {
  int status;
  uint64_t body_size;
};

[[nodiscard]] size_t head_size(std::string_view bytes);  // including the empty line; 0 when it is not there yet
[[nodiscard]] std::optional<Asked> parse_request(std::string_view head);
[[nodiscard]] std::optional<Answer> parse_answer(std::string_view head);  // only with Content-Length
[[nodiscard]] std::string answer_head(uint64_t body_size, Ending ending);

}  // namespace lunar::bench
