// Which members of the two messages an evaluation may look at.
#pragma once

#include <array>
#include <cstdint>

#include "flowengine/expr/jsonpath_tree.h"
#include "flowengine/expr/message_members.h"

namespace lunar {

class Reads {
 public:
  explicit Reads(const jsonpath::Query& query) { add(query, nullptr); }
  [[nodiscard]] bool has(Root root, Member member) const {
    return (masks_[static_cast<size_t>(root)] >> static_cast<unsigned>(member) & 1U) != 0;
  }

 private:
  // `current` is the message that filters test, or null where they test something inside it.
  void add(const jsonpath::Query& query, const Root* current);
  void add(const jsonpath::Logical& logical, const Root* current);
  void add(const jsonpath::Operand& operand, const Root* current);
  bool add_at_message(const jsonpath::Segment& segment, Root root);
  void add_filters(const jsonpath::Segment& segment);
  void add_all(Root root) { masks_[static_cast<size_t>(root)] = ~uint32_t{0}; }

  std::array<uint32_t, 2> masks_{};
};

}  // namespace lunar
