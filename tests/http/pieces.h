// Feeding one input in different pieces.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace lunar::test {

// Whole, byte by byte, and every split in two.
inline std::vector<std::vector<std::string_view>> all_splits(std::string_view text) {
  std::vector<std::vector<std::string_view>> ways{{text}};
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  ways.push_back(bytes);
  for (size_t i = 1; i < text.size(); ++i) ways.push_back({text.substr(0, i), text.substr(i)});
  return ways;
}

}  // namespace lunar::test
