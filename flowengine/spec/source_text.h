// The lines of a file, for turning byte offsets into positions that people count.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "flowengine/diagnostic.h"

namespace lunar {

class SourceText {
 public:
  explicit SourceText(std::string_view text);

  [[nodiscard]] std::string_view line(size_t index) const;                 // from 0, without its line feed
  [[nodiscard]] Position position(size_t line, size_t byte_column) const;  // both from 0
  [[nodiscard]] Position position_of(size_t offset) const;
  [[nodiscard]] size_t offset(size_t line, size_t byte_column) const;  // both from 0
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  std::vector<size_t> starts_;
  struct Counted {
    size_t line = 0, bytes = 0, tails = 0;  // continuation bytes among the first `bytes` of a line
  };
  mutable Counted counted_;
};

// Offset of the first byte that is not UTF-8, or npos.
[[nodiscard]] size_t find_invalid_utf8(std::string_view text);

}  // namespace lunar
