// What a fuzz target checks beside the sanitizers, and inputs that are looked at in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace lunar::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken invariant: %s\n", what);
  std::abort();
}

// A copy of exactly this size, so that the sanitizer sees any look behind a prefix.
class Exact {
 public:
  explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
    text.copy(bytes_.get(), text.size());
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

// Calls visit(size) for every prefix of a short input, and for about 64 of a long one.
template <class Visit>
void for_each_prefix(std::string_view text, Visit visit) {
  size_t step = text.size() / 64 + 1;
  for (size_t size = 0; size < text.size(); size += text.size() <= 512 ? 1 : step) visit(size);
}

inline bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace lunar::fuzz
