// Finds the nodes that a query selects.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "flowengine/expr/jsonpath_tree.h"

namespace lunar::jsonpath {

class Members;

// A place in the document. As a result it is `value`, for the selectors behind it `inside`: a body is a text, but its
// selectors read JSON. Where `members` is set the node is a whole message, made member by member on demand.
struct Node {
  const Json* value = nullptr;
  const Json* inside = nullptr;
  Members* members = nullptr;
  bool names_fold = false;  // names of its members ignore case
};

class Members {
 public:
  enum class Need : uint8_t { value, inside, both };
  virtual ~Members() = default;
  [[nodiscard]] virtual std::span<const std::string_view> names() const = 0;
  // Whoever asks for the value alone may get a node without an inside, and the other way round.
  [[nodiscard]] virtual std::optional<Node> member(std::string_view name, Need need) = 0;
  [[nodiscard]] virtual const Json& whole() = 0;
};

struct Origins {
  Node document, request, response;  // without a value where there is none
};

[[nodiscard]] bool same_json(const Json& left, const Json& right, size_t& steps);

// Work is bounded, whatever query meets whatever body: past the bounds a walk is exhausted and its answers are void.
class Walk {
 public:
  static constexpr size_t most_nodes = 100'000;    // in one list
  static constexpr size_t most_steps = 1'000'000;  // visits of nodes, and what costs as much

  explicit Walk(const Origins& origins) : origins_(origins) {}

  [[nodiscard]] std::optional<Node> first(const Query& query);
  [[nodiscard]] std::vector<Node> all(const Query& query, const Node& current = {});
  [[nodiscard]] std::vector<Node> all_below(std::span<const Segment> segments, const Node& start);
  [[nodiscard]] bool exhausted() const { return steps_left_ == 0; }

 private:
  // What a comparison compares: something of the document or of the query, a result of a function, or nothing.
  struct Value {
    const Json* found = nullptr;
    std::optional<Json> made;
    [[nodiscard]] const Json* get() const { return made ? &*made : found; }
  };

  [[nodiscard]] const Node& origin(const Query& query, const Node& current) const;
  [[nodiscard]] std::optional<Node> single(const Query& query, const Node& current);
  [[nodiscard]] std::optional<Node> step(const Node& from, const Selector& selector, Members::Need need);
  void select(const Node& from, const Segment& segment, std::vector<Node>& out);
  void select_children(const Node& from, const Selector& selector, std::vector<Node>& out);
  void slice(const Json& array, const Selector& selector, std::vector<Node>& out);
  void descend(const Node& from, const Segment& segment, std::vector<Node>& out);
  template <class Visit>
  void each_child(const Node& from, Visit visit);
  [[nodiscard]] bool exists(const Query& query, const Node& current);

  [[nodiscard]] bool test(const Logical& logical, const Node& current);
  [[nodiscard]] bool compare(const Logical& logical, const Node& current);
  [[nodiscard]] Value evaluate(const Operand& operand, const Node& current);
  [[nodiscard]] Value evaluate(const Call& call, const Node& current);
  [[nodiscard]] Value length(const Json* value);
  [[nodiscard]] bool matches(const Call& call, const Node& current);
  [[nodiscard]] const Regex* dynamic_regex(const std::string& pattern);

  bool spend(size_t steps);
  void put(std::vector<Node>& out, const Node& node);

  Origins origins_;
  size_t steps_left_ = most_steps;
  size_t depth_ = 0;
  std::string last_pattern_;
  std::optional<Regex> last_regex_;
};

[[nodiscard]] const Json* value_of(const Node& node);

}  // namespace lunar::jsonpath
