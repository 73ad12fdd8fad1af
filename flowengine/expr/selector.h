// Finds every URL pattern that matches a URL, at a cost that does not grow with the number of patterns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flowengine/expr/url_pattern.h"

namespace lunar {

class Selector {
 public:
  explicit Selector(std::vector<UrlPattern> patterns);

  // Adds the index of each pattern that matches, each once, in no particular order.
  void find(std::string_view host, uint16_t port, std::string_view path, std::vector<uint32_t>& pattern_indexes) const;
  [[nodiscard]] PathParams params_of(uint32_t pattern_index, std::string_view host, std::string_view path) const {
    return patterns_[pattern_index].params(host, path);
  }
  [[nodiscard]] const std::vector<UrlPattern>& patterns() const { return patterns_; }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  // Where a label or a segment leads.
  struct Branches {
    std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> literals;
    uint32_t parameter = none;
    [[nodiscard]] uint32_t literal(std::string_view text) const {
      if (literals.empty()) return none;
      auto found = literals.find(text);
      return found == literals.end() ? none : found->second;
    }
  };
  struct PathNode {
    Branches next;
    std::vector<uint32_t> ending, covering;  // patterns that end here, and those with `*` here
  };
  // Roots of paths, by the port that the pattern gives; 0: any.
  using Ports = std::unordered_map<uint16_t, uint32_t>;
  struct HostNode {
    Branches next;
    Ports ending, covering;
  };

  void add(uint32_t index);
  uint32_t host_node(uint32_t root, const UrlPattern& pattern);
  uint32_t host_child(uint32_t node, const PatternPiece& label);
  uint32_t path_child(uint32_t node, const PatternPiece& segment);

  struct Url;
  void walk_host(uint32_t node, std::string_view rest, const Url& url) const;
  void walk_prefix(uint32_t node, std::string_view rest, const Url& url) const;
  void walk_ports(const Ports& ports, const Url& url) const;
  void walk_path(uint32_t node, std::string_view rest, std::vector<uint32_t>& found) const;

  std::vector<UrlPattern> patterns_;
  std::vector<HostNode> hosts_;  // 0: hosts from their last label, 1: those that end in `*` from their first
  std::vector<PathNode> paths_;
  Ports every_host_;
};

}  // namespace lunar
