#include "agent/state/path_tree.h"

#include <algorithm>
#include <utility>

namespace lunar {
namespace {

constexpr std::string_view parameter_begin = "{_param_";

}  // namespace

struct PathTree::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  size_t values = 0;                // children that are not fixed
  bool fixed = false;               // part of a known pattern
  std::unique_ptr<Node> parameter;  // in the place of all values
  std::map<std::string, EndpointStats, std::less<>> methods;
};

PathTree::PathTree() = default;
PathTree::~PathTree() = default;

void CallStats::merge(const CallStats& other) {
  if (other.count == 0) return;
  first = count == 0 ? other.first : std::min(first, other.first);
  last = count == 0 ? other.last : std::max(last, other.last);
  const double share = static_cast<double>(other.count) / static_cast<double>(count + other.count);
  provider_ms += (other.provider_ms - provider_ms) * share;
  total_ms += (other.total_ms - total_ms) * share;
  count += other.count;
  for (const auto& [code, times] : other.status_codes) status_codes[code] += times;
}

void EndpointStats::merge(EndpointStats& other) {
  all.merge(other.all);
  for (const auto& [tag, stats] : other.consumers) consumers[tag].merge(stats);
}

bool PathTree::is_parameter(std::string_view text) {
  if (!text.starts_with(parameter_begin) || !text.ends_with('}')) return false;
  const std::string_view digits = text.substr(parameter_begin.size(), text.size() - parameter_begin.size() - 1);
  return !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

EndpointStats* PathTree::find(std::string_view host, const std::vector<PathStep>& steps, std::string_view method) {
  auto root = hosts_.find(host);
  if (root == hosts_.end()) {
    if (nodes_ >= most_nodes) return nullptr;
    ++nodes_;
    root = hosts_.emplace(std::string(host), std::make_unique<Node>()).first;
  }
  Node* node = root->second.get();
  for (size_t i = 0; i < steps.size() && node != nullptr; ++i) {
    node = child_of(*node, i < most_steps ? steps[i] : PathStep{"*", true});
    if (i >= most_steps) break;
  }
  if (node == nullptr) return nullptr;
  if (const auto known = node->methods.find(method); known != node->methods.end()) return &known->second;
  if (nodes_ >= most_nodes) return nullptr;
  ++nodes_;
  return &node->methods[std::string(method)];
}

PathTree::Node* PathTree::child_of(Node& node, const PathStep& step) {
  const bool parameter = step.fixed && is_parameter(step.text);
  if (parameter && node.parameter) return node.parameter.get();
  if (const auto known = node.children.find(step.text); known != node.children.end() && !parameter) {
    if (step.fixed && !known->second->fixed) --node.values;
    known->second->fixed = known->second->fixed || step.fixed;
    return known->second.get();
  }
  if (!step.fixed && node.parameter) return node.parameter.get();
  if (nodes_ >= most_nodes) return nullptr;
  ++nodes_;
  if (parameter || (!step.fixed && node.values == most_values)) {
    collapse(node);
    return node.parameter.get();
  }
  Node& child = *(node.children[step.text] = std::make_unique<Node>());
  child.fixed = step.fixed;
  if (!step.fixed) ++node.values;
  return &child;
}

// All values become one parameter, for which the caller has counted a node.
void PathTree::collapse(Node& node) {
  ++collapses_;
  node.parameter = std::make_unique<Node>();
  node.values = 0;
  for (auto child = node.children.begin(); child != node.children.end();) {
    if (child->second->fixed) {
      ++child;
      continue;
    }
    merge_into(*node.parameter, *child->second);
    --nodes_;
    child = node.children.erase(child);
  }
}

// The caller forgets `other`.
void PathTree::merge_into(Node& node, Node& other) {
  for (auto& [method, stats] : other.methods) {
    const auto [known, added] = node.methods.try_emplace(method);
    known->second.merge(stats);
    if (!added) --nodes_;
  }
  if (other.parameter) merge_parameter(node, *other.parameter);
  for (auto& [text, child] : other.children) merge_child(node, text, std::move(child));
}

void PathTree::merge_parameter(Node& node, Node& other) {
  if (!node.parameter) {
    ++nodes_;
    collapse(node);
  }
  merge_into(*node.parameter, other);
  --nodes_;
}

void PathTree::merge_child(Node& node, const std::string& text, std::unique_ptr<Node> child) {
  if (const auto known = node.children.find(text); known != node.children.end()) {
    if (child->fixed && !known->second->fixed) --node.values;
    known->second->fixed = known->second->fixed || child->fixed;
    merge_into(*known->second, *child);
    --nodes_;
    return;
  }
  if (!child->fixed && (node.parameter || node.values == most_values)) return merge_parameter(node, *child);
  if (!child->fixed) ++node.values;
  node.children[text] = std::move(child);
}

void PathTree::for_each(const Visit& visit) const {
  for (const auto& [host, root] : hosts_) walk(*root, host, 0, visit);
}

void PathTree::walk(const Node& node, const std::string& path, size_t parameters, const Visit& visit) {
  const std::string root = path.find('/') == std::string::npos ? "/" : "";
  for (const auto& [method, stats] : node.methods) {
    std::string key = method;
    visit(key.append(":::").append(path).append(root), stats);
  }
  std::string below = path;
  below += '/';
  for (const auto& [text, child] : node.children) {
    below.resize(path.size() + 1);
    walk(*child, below.append(text), parameters, visit);
  }
  if (!node.parameter) return;
  below.resize(path.size() + 1);
  below.append(parameter_begin).append(std::to_string(parameters + 1)).append("}");
  walk(*node.parameter, below, parameters + 1, visit);
}

}  // namespace lunar
