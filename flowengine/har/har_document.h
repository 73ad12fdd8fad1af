// HAR lines as lunard writes them become one HAR 1.2 document (gateway.md §12). Text in, text out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lunar {

struct HarCreator {
  std::string name, version;
};

class HarDocument {
 public:
  explicit HarDocument(const HarCreator& creator);

  // The lines of one file; the oldest file first. Entries go into the document byte for byte.
  void add_lines(std::string_view text);

  [[nodiscard]] size_t entries() const { return entries_; }
  [[nodiscard]] size_t skipped() const { return skipped_; }  // lines that are no entry; empty ones do not count
  [[nodiscard]] std::string text() const;                    // with a newline at the end

 private:
  std::string text_;  // up to the last entry
  size_t entries_ = 0;
  size_t skipped_ = 0;
};

}  // namespace lunar
