#include "flowengine/spelling.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace lunar {
namespace {

// Levenshtein distance, row by row.
size_t edits_between(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= right.size(); ++j) {
      size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t fewest = std::max<size_t>(1, name.size() / 3) + 1;
  if (name.size() > 64) return best;
  for (std::string_view candidate : candidates) {
    size_t edits = edits_between(name, candidate);
    if (edits >= fewest) continue;
    fewest = edits;
    best = candidate;
  }
  return best;
}

}  // namespace lunar
