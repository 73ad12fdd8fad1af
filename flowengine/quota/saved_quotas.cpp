#include "flowengine/quota/saved_quotas.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace lunar {
namespace {

using nlohmann::json;
using namespace std::chrono;

constexpr int version = 1;
constexpr auto worth_saving = minutes(1);
constexpr int64_t largest_count = int64_t{1} << 60;
constexpr int64_t latest_time = 32'503'680'000'000;  // the year 3000, in milliseconds
constexpr std::string_view hex = "0123456789ABCDEF";

// Groups are bytes of a header, and JSON is UTF-8.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      out += c;
    } else {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    size_t high = hex.find(text[i + 1]), low = hex.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

int64_t count_of(WallTime time) { return time.time_since_epoch().count(); }

// Reads members of one object; after the first that is missing or impossible everything is refused.
class Members {
 public:
  Members(const json& object, bool& ok) : object_(object), ok_(ok) { ok_ = ok_ && object.is_object(); }

  int64_t number(const char* name, int64_t largest) {
    const json* member = find(name);
    if (member == nullptr || !member->is_number_integer()) return refuse();
    if (member->is_number_unsigned() && member->get<uint64_t>() > static_cast<uint64_t>(largest)) return refuse();
    auto value = member->get<int64_t>();
    return value < 0 ? refuse() : value;
  }
  WallTime time(const char* name) { return WallTime(milliseconds(number(name, latest_time))); }
  std::optional<WallTime> maybe_time(const char* name) {
    if (find(name) == nullptr) return std::nullopt;
    return time(name);
  }
  bool truth(const char* name) {
    const json* member = find(name);
    if (member == nullptr || !member->is_boolean()) return refuse() != 0;
    return member->get<bool>();
  }
  std::string text(const char* name) {
    const json* member = find(name);
    if (member == nullptr || !member->is_string()) return refuse(), std::string();
    auto text = unescaped(member->get_ref<const std::string&>());
    if (!text) refuse();
    return text.value_or(std::string());
  }
  const json* array(const char* name) {
    const json* member = find(name);
    if (member == nullptr || !member->is_array()) return refuse(), nullptr;
    return member;
  }
  const json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

 private:
  int64_t refuse() {
    ok_ = false;
    return 0;
  }

  const json& object_;
  bool& ok_;
};

SavedWindow window_of(const json& object, bool& ok) {
  Members in(object, ok);
  SavedWindow window;
  window.group = in.text("group");
  window.used = in.number("used", largest_count);
  window.carry = in.number("carry", largest_count);
  window.open = in.truth("open");
  window.opened = in.time("opened");
  window.closes = in.time("closes");
  window.renewal = in.maybe_time("renewal");
  window.carry_ends = in.time("carry_ends");
  return window;
}

SavedNode node_of(const json& object, bool& ok) {
  Members in(object, ok);
  SavedNode node;
  node.id = in.text("id");
  node.signature = in.text("strategy");
  if (const json* windows = in.find("windows") != nullptr ? in.array("windows") : nullptr)
    for (const json& window : *windows) node.windows.push_back(window_of(window, ok));
  if (in.find("remaining") != nullptr) {
    node.remaining = in.number("remaining", largest_count);
    node.until = in.time("until");
    node.reset_given = in.truth("reset_given");
  }
  node.blocked_until = in.maybe_time("blocked_until");
  return node;
}

json json_of(const SavedWindow& window) {
  json object = {{"group", escaped(window.group)},
                 {"used", window.used},
                 {"carry", window.carry},
                 {"open", window.open},
                 {"opened", count_of(window.opened)},
                 {"closes", count_of(window.closes)},
                 {"carry_ends", count_of(window.carry_ends)}};
  if (window.renewal) object["renewal"] = count_of(*window.renewal);
  return object;
}

json json_of(const SavedNode& node) {
  json object = {{"id", escaped(node.id)}, {"strategy", escaped(node.signature)}};
  for (const SavedWindow& window : node.windows) object["windows"].push_back(json_of(window));
  if (node.remaining) {
    object["remaining"] = *node.remaining;
    object["until"] = count_of(node.until);
    object["reset_given"] = node.reset_given;
  }
  if (node.blocked_until) object["blocked_until"] = count_of(*node.blocked_until);
  return object;
}

// Times that were set by a clock far from ours fit into a snapshot nevertheless.
WallTime bounded(WallTime time) { return std::clamp(time, WallTime(), WallTime(milliseconds(latest_time))); }

}  // namespace

json to_json(const std::vector<SavedNode>& nodes) {
  json list = json::array();
  for (const SavedNode& node : nodes) list.push_back(json_of(node));
  return {{"version", version}, {"quotas", std::move(list)}};
}

Result<std::vector<SavedNode>> saved_nodes(const json& snapshot) {
  bool ok = true;
  std::vector<SavedNode> nodes;
  Members in(snapshot, ok);
  if (in.number("version", version) != version || !ok)
    return fail("the quota snapshot is not one of version 1; counting begins anew");
  if (const json* list = in.array("quotas"))
    for (const json& object : *list) nodes.push_back(node_of(object, ok));
  if (!ok) return fail("the quota snapshot is damaged; counting begins anew");
  return nodes;
}

SavedNode saved_windows(WindowNode& node, const Instant& now) {
  SavedNode saved;
  const WindowRules& rules = node.rules();
  node.for_each(now, [&](std::string_view group, const Window& window) {
    WallTime end = rules.nominal_end(window);
    if (window.forgettable() || (window.open && end - window.opened <= worth_saving)) return;
    SavedWindow& one = saved.windows.emplace_back();
    one.group = group;
    one.used = window.used;
    one.carry = window.carry;
    one.open = window.open;
    one.opened = bounded(window.opened);
    one.closes = bounded(window.open ? wall_time(window.end, now) : window.opened);
    if (window.renewal != WallTime::max()) one.renewal = bounded(window.renewal);
    one.carry_ends = bounded(window.carry_ends);
  });
  return saved;
}

void restore_windows(const SavedNode& saved, WindowNode& node, const Instant& now) {
  for (const SavedWindow& one : saved.windows) {
    Window window{.used = one.used,
                  .carry = one.carry,
                  .end = steady_time(one.closes, now),
                  .opened = one.opened,
                  .renewal = one.renewal.value_or(WallTime::max()),
                  .carry_ends = one.carry_ends,
                  .open = one.open};
    node.restore(one.group, window, now);
  }
}

SavedNode saved_knowledge(HeaderNode& node, const Instant& now) {
  SavedNode saved;
  node.update(now);
  if (const auto& known = node.knowledge(); known && known->until - known->learned > worth_saving) {
    saved.remaining = known->remaining;
    saved.until = bounded(wall_time(known->until, now));
    saved.reset_given = known->reset_given;
  }
  if (const auto& block = node.block(); block && block->until - block->learned > worth_saving)
    saved.blocked_until = bounded(wall_time(block->until, now));
  return saved;
}

void restore_knowledge(const SavedNode& saved, HeaderNode& node, const Instant& now) {
  std::optional<HeaderNode::Knowledge> knowledge;
  if (saved.remaining) knowledge = {*saved.remaining, 0, now.steady, steady_time(saved.until, now), saved.reset_given};
  std::optional<HeaderNode::Block> block;
  if (saved.blocked_until) block = {now.steady, steady_time(*saved.blocked_until, now)};
  node.restore(knowledge, block);
}

}  // namespace lunar
