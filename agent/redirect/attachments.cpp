#include "agent/redirect/attachments.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "agent/base/log.h"
#include "agent/redirect/attachment_store.h"
#include "agent/redirect/cgroup.h"
#include "agent/redirect/cgroup_tree.h"
#include "agent/redirect/egress_filter.h"
#include "agent/redirect/socket_reset.h"
#include "agent/redirect/target.h"

namespace lunar {

namespace {

// A cgroup that has a policy now.
struct Applied {
  uint64_t id = 0;
  std::string target;
  Policy policy = Policy::capture;
  std::string warning;
  std::string netns_warning;
};

struct Entry {
  Target target;
  AttachOptions options;
};

constexpr std::string_view pid_prefix = "pid:";
constexpr const char* filtered =
    "not captured: a BPF egress filter (IPAddressDeny=?) guards it, which the gateway would evade";

bool is_below(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  return path.starts_with(ancestor) && (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

Result<std::string> cgroup_of_pid(std::string_view digits) {
  uint32_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (error != std::errc{} || end != digits.data() + digits.size() || pid == 0)
    return fail("not a process id: " + std::string(digits));
  auto path = cgroup::path_of_pid(pid);
  if (!path) return fail("there is no process " + std::string(digits), ESRCH);
  if (*path == "/")
    return fail("process " + std::string(digits) +
                " is in the root cgroup, with everything else; start it by lunarctl run");
  return path;
}

}  // namespace

struct Attachments::State {
  Hook& hook;
  NetnsListeners* netns;
  Places places;
  CgroupTree tree;
  std::map<std::string, Entry, std::less<>> entries;  // by text
  std::map<std::string, Applied> applied;             // by path
  bool levels_known;  // false: the mount shows a part of the tree only (cgroup namespace)

  void capture(const Entry& entry, const std::string& path);
  void drop(const std::string& path);
  void on_created(const std::string& path);
  void on_population(const std::string& path);
  void follow(const CgroupChange& change);
  void review_filters();
  void look_for_filters();
  Result<> save() const;
  [[nodiscard]] Attachment describe(const Entry& entry) const;
  void set_policy(Applied& to, const std::string& path);
};

void Attachments::State::set_policy(Applied& to, const std::string& path) {
  const unsigned level = levels_known ? cgroup::level_of(path) : LUNAR_MAX_LEVELS;
  if (auto set = hook.set_policy(to.id, level, to.policy); !set) to.warning = set.error().text;
  if (!to.warning.empty()) log::warn("{}: {}", path, to.warning);
}

void Attachments::State::capture(const Entry& entry, const std::string& path) {
  const std::string directory = tree.directory(path);
  const auto id = cgroup::id_of(directory);
  if (!id) return;  // removed meanwhile; its event is under way
  Applied now{
      .id = *id, .target = entry.target.text(), .policy = entry.options.policy, .warning = {}, .netns_warning = {}};
  if (now.policy == Policy::capture && has_egress_filter(directory, FilterScope::with_ancestors)) {
    now.policy = Policy::bypass;
    now.warning = filtered;
  }
  const auto known = applied.find(path);
  const bool same = known != applied.end() && known->second.id == now.id && known->second.target == now.target &&
                    known->second.policy == now.policy && known->second.warning == now.warning;
  if (!same) {
    if (known != applied.end() && known->second.id != now.id) drop(path);
    set_policy(now, path);
    applied.insert_or_assign(path, std::move(now));
  }
  if (netns == nullptr) return;
  if (entry.options.netns) {
    tree.watch_population(path);
    on_population(path);
  } else {
    netns->release(*id);
  }
}

void Attachments::State::drop(const std::string& path) {
  const auto found = applied.find(path);
  if (found == applied.end()) return;
  hook.clear_policy(found->second.id);
  if (netns != nullptr) netns->release(found->second.id);
  applied.erase(found);
}

void Attachments::State::on_created(const std::string& path) {
  if (path == places.own_cgroup) return;
  for (const auto& [text, entry] : entries)
    if (entry.target.matches(path)) capture(entry, path);
}

void Attachments::State::follow(const CgroupChange& change) {
  switch (change.kind) {
    case CgroupChange::Kind::created:
      on_created(change.path);
      break;
    case CgroupChange::Kind::removed:
      drop(change.path);
      break;
    case CgroupChange::Kind::population:
      on_population(change.path);
      break;
  }
}

// A listener keeps its network namespace alive, so it must go with the last process.
void Attachments::State::on_population(const std::string& path) {
  const auto found = applied.find(path);
  if (found == applied.end() || netns == nullptr) return;
  const auto entry = entries.find(found->second.target);
  if (entry == entries.end() || !entry->second.options.netns) return;
  const auto pids = cgroup::pids_below(tree.directory(path));
  if (pids.empty()) {
    netns->release(found->second.id);
    return;
  }
  const auto held = netns->hold(found->second.id, pids.front());
  const std::string warning = held ? "" : "its network namespace goes direct: " + held.error().text;
  if (!held && warning != found->second.netns_warning) log::warn("{}: {}", path, warning);
  found->second.netns_warning = warning;
}

// Nothing tells when a filter appears on a cgroup or goes: targets, and what was bypassed inside them, are asked again.
void Attachments::State::review_filters() {
  std::vector<std::string> paths;
  for (const auto& [path, now] : applied)
    if (!now.target.empty()) paths.push_back(path);
  for (const std::string& path : paths) {
    const auto entry = entries.find(applied[path].target);
    if (entry != entries.end() && entry->second.target.matches(path)) {
      capture(entry->second, path);
    } else if (!has_egress_filter(tree.directory(path), FilterScope::itself)) {
      drop(path);
    }
  }
}

// Cgroups inside a captured one may bring filters of their own.
void Attachments::State::look_for_filters() {
  for (const std::string& path : tree.paths()) {
    const auto above = std::ranges::find_if(applied, [&](const auto& entry) {
      return entry.second.policy == Policy::capture && is_below(path, entry.first);
    });
    if (above == applied.end() || !has_egress_filter(tree.directory(path), FilterScope::itself)) continue;
    const auto id = cgroup::id_of(tree.directory(path));
    if (!id) continue;
    Applied inside{
        .id = *id, .target = above->second.target, .policy = Policy::bypass, .warning = filtered, .netns_warning = {}};
    set_policy(inside, path);
    applied.insert_or_assign(path, std::move(inside));
  }
}

Result<> Attachments::State::save() const {
  if (places.state_file.empty()) return {};
  std::vector<StoredAttachment> stored;
  for (const auto& [text, entry] : entries)
    if (!entry.options.transient) stored.push_back({text, entry.options});
  return write_attachments(places.state_file, stored);
}

Attachment Attachments::State::describe(const Entry& entry) const {
  Attachment out{.target = entry.target.text(), .options = entry.options, .cgroups = {}, .warnings = {}};
  for (const auto& [path, now] : applied) {
    if (now.target != out.target) continue;
    if (entry.target.matches(path)) out.cgroups.push_back(path);
    for (const std::string* warning : {&now.warning, &now.netns_warning})
      if (!warning->empty()) out.warnings.emplace_back(path).append(": ").append(*warning);
  }
  return out;
}

Attachments::Attachments(std::unique_ptr<State> state) : state_(std::move(state)) {}

Attachments::~Attachments() = default;

Result<std::unique_ptr<Attachments>> Attachments::open(Hook& hook, NetnsListeners* netns, Places places) {
  auto tree = CgroupTree::watch(places.cgroup_root);
  if (!tree) return std::unexpected(tree.error());
  const std::string root = tree->directory("");
  const bool levels_known = cgroup::shows_whole_tree(root);
  auto state =
      std::unique_ptr<State>(new State{hook, netns, std::move(places), std::move(*tree), {}, {}, levels_known});
  State& s = *state;
  std::vector<StoredAttachment> stored;
  if (!s.places.state_file.empty()) {
    auto read = read_attachments(s.places.state_file);
    if (!read) return std::unexpected(read.error());
    stored = std::move(*read);
  }
  for (const StoredAttachment& attachment : stored) {
    auto target = Target::parse(attachment.target, s.places.cgroup_root);
    if (!target) return fail(s.places.state_file + ": " + target.error().text);
    const std::string text = target->text();
    s.entries.insert_or_assign(text, Entry{std::move(*target), attachment.options});
  }
  const std::vector<uint64_t> before = hook.policies();  // of an adopted hook
  if (!s.places.own_cgroup.empty()) {
    const auto id = cgroup::id_of(s.tree.directory(s.places.own_cgroup));
    if (!id) return std::unexpected(id.error());
    Applied own{.id = *id, .target = {}, .policy = Policy::bypass, .warning = {}, .netns_warning = {}};
    s.set_policy(own, s.places.own_cgroup);
    s.applied.insert_or_assign(s.places.own_cgroup, std::move(own));
  }
  for (const std::string& path : s.tree.paths()) s.on_created(path);
  s.look_for_filters();
  for (const uint64_t id : before)
    if (std::ranges::none_of(s.applied, [id](const auto& entry) { return entry.second.id == id; }))
      hook.clear_policy(id);
  return std::unique_ptr<Attachments>(new Attachments(std::move(state)));
}

Result<AttachReport> Attachments::attach(std::string_view text, const AttachOptions& options) {
  std::string named(text);
  if (text.starts_with(pid_prefix)) {
    auto path = cgroup_of_pid(text.substr(pid_prefix.size()));
    if (!path) return std::unexpected(path.error());
    named = std::move(*path);
  }
  auto target = Target::parse(named, state_->places.cgroup_root);
  if (!target) return std::unexpected(target.error());
  if (target->text() == state_->places.own_cgroup) return fail("lunard itself runs in " + target->text());
  if (options.netns && state_->netns == nullptr) return fail("capture inside network namespaces is switched off");
  on_readable();  // what is known of the tree must not lag behind what the caller sees
  AttachReport report;
  report.created = !state_->entries.contains(target->text());
  const auto [entry, added] = state_->entries.insert_or_assign(target->text(), Entry{*target, options});
  for (const std::string& path : std::vector<std::string>(state_->tree.paths().begin(), state_->tree.paths().end()))
    if (path != state_->places.own_cgroup && target->matches(path)) state_->capture(entry->second, path);
  state_->look_for_filters();
  report.attachment = state_->describe(entry->second);
  if (auto saved = state_->save(); !saved)
    report.attachment.warnings.push_back("not persistent: " + saved.error().text);
  if (!options.reset_existing) return report;
  for (const std::string& path : report.attachment.cgroups) {
    const auto count = reset_connections(state_->tree.directory(path));
    if (count)
      report.connections_reset += *count;
    else
      report.attachment.warnings.push_back(path + ": " + count.error().text);
  }
  return report;
}

Result<bool> Attachments::detach(std::string_view text) {
  std::string named(text);
  if (text.starts_with(pid_prefix)) {
    auto path = cgroup_of_pid(text.substr(pid_prefix.size()));
    if (!path) return std::unexpected(path.error());
    named = std::move(*path);
  }
  auto target = Target::parse(named, state_->places.cgroup_root);
  if (!target) return std::unexpected(target.error());
  if (state_->entries.erase(target->text()) == 0) return false;
  std::vector<std::string> paths;
  for (const auto& [path, now] : state_->applied)
    if (now.target == target->text()) paths.push_back(path);
  for (const std::string& path : paths) {
    state_->drop(path);
    state_->on_created(path);  // another attachment may cover it
  }
  if (auto saved = state_->save(); !saved) return std::unexpected(saved.error());
  return true;
}

std::vector<Attachment> Attachments::list() const {
  std::vector<Attachment> out;
  for (const auto& [text, entry] : state_->entries) out.push_back(state_->describe(entry));
  return out;
}

int Attachments::fd() const { return state_->tree.fd(); }

void Attachments::on_readable() {
  for (const CgroupChange& change : state_->tree.read()) state_->follow(change);
}

void Attachments::refresh() {
  on_readable();
  for (const CgroupChange& change : state_->tree.catch_up()) state_->follow(change);
  state_->review_filters();
  state_->look_for_filters();
}

}  // namespace lunar
