// A list of HTTP/2 fields with memory of its own, because HPACK gives and takes them one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lunar::http {

struct H2Field {
  std::string_view name;
  std::string_view value;
  bool operator==(const H2Field&) const = default;
};

class H2FieldBlock {
 public:
  void add(std::string_view name, std::string_view value);
  void add_in_lower_case(std::string_view name, std::string_view value);
  void clear();  // keeps the memory of an ordinary head, gives back that of a large one

  // Valid until the next add or clear.
  [[nodiscard]] std::span<const H2Field> fields();
  // The same one by one, without a list of them: visit(field).
  template <class Visit>
  void for_each(Visit visit) const {
    std::string_view rest = bytes_;
    for (Extent extent : extents_) {
      visit(H2Field{rest.substr(0, extent.name), rest.substr(extent.name, extent.value)});
      rest.remove_prefix(extent.name + extent.value);
    }
  }

 private:
  struct Extent {
    uint32_t name;
    uint32_t value;
  };

  std::string bytes_;  // name, value, name, value…
  std::vector<Extent> extents_;
  std::vector<H2Field> views_;
};

// What a field counts towards SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 §6.5.2).
[[nodiscard]] constexpr size_t list_size(std::string_view name, std::string_view value) {
  return name.size() + value.size() + 32;
}

}  // namespace lunar::http
