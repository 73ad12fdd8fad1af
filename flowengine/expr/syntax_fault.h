// What is wrong with a text of one of the small languages here, and where in it.
#pragma once

#include <cstddef>
#include <string>

namespace lunar {

struct SyntaxFault {
  size_t offset = 0;  // in bytes
  std::string text;
  bool operator==(const SyntaxFault&) const = default;
};

// The same with the id of flows.md §9 that the finding carries.
struct ExpressionFault {
  size_t offset = 0;
  std::string text;
  std::string id;
  bool operator==(const ExpressionFault&) const = default;
};

}  // namespace lunar
