// Which endpoints a host has, learned from paths: where a position has too many values, they are one parameter.
// Bounded memory whatever clients send.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/instant.h"

namespace lunar {

struct CallStats {
  WallTime first{}, last{};
  uint64_t count = 0;
  std::map<int, uint64_t> status_codes;
  double provider_ms = 0;  // averages
  double total_ms = 0;

  void merge(const CallStats& other);
};

struct EndpointStats {
  CallStats all;
  std::map<std::string, CallStats, std::less<>> consumers;

  void merge(EndpointStats& other);
};

struct PathStep {
  std::string text;
  bool fixed = false;  // of a known pattern: it is no value that may become a parameter
};

class PathTree {
 public:
  static constexpr size_t most_values = 50;  // of a position
  static constexpr size_t most_nodes = 20'000;
  static constexpr size_t most_steps = 64;  // what is deeper is one `*`

  PathTree();
  ~PathTree();
  PathTree(const PathTree&) = delete;
  PathTree& operator=(const PathTree&) = delete;

  // Null: there is no room for a new one.
  [[nodiscard]] EndpointStats* find(std::string_view host, const std::vector<PathStep>& steps, std::string_view method);

  using Visit = std::function<void(const std::string& key, const EndpointStats& stats)>;  // METHOD:::host/path
  void for_each(const Visit& visit) const;

  // Changes whenever endpoints have become one.
  [[nodiscard]] uint64_t collapses() const { return collapses_; }

  // A step that for_each() names as a parameter of this tree.
  [[nodiscard]] static bool is_parameter(std::string_view text);

 private:
  struct Node;
  [[nodiscard]] Node* child_of(Node& node, const PathStep& step);
  void collapse(Node& node);
  void merge_into(Node& node, Node& other);
  void merge_parameter(Node& node, Node& other);
  void merge_child(Node& node, const std::string& text, std::unique_ptr<Node> child);
  static void walk(const Node& node, const std::string& path, size_t parameters, const Visit& visit);

  std::map<std::string, std::unique_ptr<Node>, std::less<>> hosts_;
  size_t nodes_ = 0;  // methods count, too
  uint64_t collapses_ = 0;
};

}  // namespace lunar
