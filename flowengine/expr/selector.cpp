#include "flowengine/expr/selector.h"

namespace lunar {
namespace {

constexpr uint32_t from_last = 0, from_first = 1;

}  // namespace

struct Selector::Url {
  std::string_view path;  // normal
  uint16_t port;
  std::vector<uint32_t>& found;
};

Selector::Selector(std::vector<UrlPattern> patterns) : patterns_(std::move(patterns)), hosts_(2) {
  for (uint32_t i = 0; i < patterns_.size(); ++i) add(i);
}

uint32_t Selector::host_child(uint32_t node, const PatternPiece& label) {
  Branches& next = hosts_[node].next;
  uint32_t& child = label.parameter ? next.parameter : next.literals.try_emplace(label.text, none).first->second;
  if (child != none) return child;
  uint32_t made = child = static_cast<uint32_t>(hosts_.size());
  hosts_.emplace_back();  // ends the life of `child`
  return made;
}

uint32_t Selector::path_child(uint32_t node, const PatternPiece& segment) {
  Branches& next = paths_[node].next;
  uint32_t& child = segment.parameter ? next.parameter : next.literals.try_emplace(segment.text, none).first->second;
  if (child != none) return child;
  uint32_t made = child = static_cast<uint32_t>(paths_.size());
  paths_.emplace_back();  // ends the life of `child`
  return made;
}

void Selector::add(uint32_t index) {
  using Kind = UrlPattern::HostKind;
  const UrlPattern& pattern = patterns_[index];
  const auto& labels = pattern.labels();
  uint32_t host = pattern.host_kind() == Kind::trailing ? from_first : from_last;
  for (size_t i = 0; i < labels.size(); ++i)
    host = host_child(host, labels[pattern.host_kind() == Kind::trailing ? i : labels.size() - 1 - i]);
  bool covers = pattern.host_kind() == Kind::leading || pattern.host_kind() == Kind::trailing;
  Ports& ports = pattern.host_kind() == Kind::every ? every_host_
                 : covers                           ? hosts_[host].covering
                                                    : hosts_[host].ending;
  auto [root, is_new] = ports.try_emplace(pattern.port(), static_cast<uint32_t>(paths_.size()));
  if (is_new) paths_.emplace_back();
  uint32_t path = root->second;
  for (const PatternPiece& piece : pattern.path().pieces()) path = path_child(path, piece);
  (pattern.path().covers_further() ? paths_[path].covering : paths_[path].ending).push_back(index);
}

void Selector::find(std::string_view host, uint16_t port, std::string_view path, std::vector<uint32_t>& out) const {
  std::string storage;
  Url url{normal_path(path, storage), port, out};
  walk_ports(every_host_, url);
  if (host.empty()) return;
  walk_host(from_last, host, url);
  walk_prefix(from_first, host, url);
}

// The depth of both walks is that of the trie, however many labels the host has.
void Selector::walk_host(uint32_t node, std::string_view rest, const Url& url) const {
  const HostNode& here = hosts_[node];
  walk_ports(rest.empty() ? here.ending : here.covering, url);
  if (rest.empty()) return;
  std::string_view label = take_last_label(rest);
  if (uint32_t next = here.next.literal(label); next != none) walk_host(next, rest, url);
  if (here.next.parameter != none) walk_host(here.next.parameter, rest, url);
}

void Selector::walk_prefix(uint32_t node, std::string_view rest, const Url& url) const {
  const HostNode& here = hosts_[node];
  walk_ports(here.covering, url);
  if (rest.empty()) return;
  std::string_view label = take_first_label(rest);
  if (uint32_t next = here.next.literal(label); next != none) walk_prefix(next, rest, url);
  if (here.next.parameter != none) walk_prefix(here.next.parameter, rest, url);
}

void Selector::walk_ports(const Ports& ports, const Url& url) const {
  if (ports.empty()) return;
  for (uint16_t port : {uint16_t{0}, url.port}) {
    auto found = ports.find(port);
    if (found != ports.end()) walk_path(found->second, url.path, url.found);
    if (url.port == 0) break;
  }
}

void Selector::walk_path(uint32_t node, std::string_view rest, std::vector<uint32_t>& found) const {
  const PathNode& here = paths_[node];
  found.insert(found.end(), here.covering.begin(), here.covering.end());
  if (rest.empty()) {
    found.insert(found.end(), here.ending.begin(), here.ending.end());
    return;
  }
  std::string_view segment = take_segment(rest);
  if (uint32_t next = here.next.literal(segment); next != none) walk_path(next, rest, found);
  if (here.next.parameter != none) walk_path(here.next.parameter, rest, found);
}

}  // namespace lunar
