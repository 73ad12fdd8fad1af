#include "agent/redirect/hook.h"

#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "agent/redirect/bpf_map.h"
#include "agent/redirect/hook_parts.h"
#include "agent/redirect/ranges.h"

namespace lunar {

namespace {

constexpr uint32_t all_levels = 0xffffffff;

template <class T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}
template <class T>
T load(T& field) {
  return std::atomic_ref<T>(field).load(std::memory_order_acquire);
}

void set_flag(lunar_settings& settings, uint32_t flag, bool on) {
  const uint32_t flags = load(settings.flags);
  store<__u32>(settings.flags, on ? flags | flag : flags & ~flag);
}

// Of the calling thread's namespace, the one that the routes are of.
uint64_t own_netns_cookie() {
  const Fd probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (getsockopt(probe.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0) return 0;
  return cookie;
}

// A reader may see half of each while a default route moves; it is what two calls in a row could see as well.
void write_address(__u8 (&field)[16], const std::optional<IpAddress>& address) {
  const IpAddress value = address.value_or(IpAddress{});
  std::ranges::copy(value.bytes, field);
}

uint64_t unique_number() {
  static std::mt19937_64 engine{std::random_device{}()};
  const uint64_t number = engine();
  return number == 0 ? 1 : number;
}

}  // namespace

struct Hook::State {
  HookParts parts;
  lunar_settings* settings = nullptr;
  uint32_t max_pending_accepts = HookLimits{}.max_pending_accepts;
  std::array<uint32_t, LUNAR_MAX_LEVELS> policies_at{};  // how many at each depth
  std::map<uint64_t, unsigned> level_of;

  ~State() {
    if (settings != nullptr) munmap(settings, sizeof *settings);
  }
  [[nodiscard]] int map(std::string_view name) const {
    const auto found = parts.maps.find(name);
    return found == parts.maps.end() ? -1 : found->second.get();
  }
  Result<> map_settings() {
    void* memory = mmap(nullptr, sizeof *settings, PROT_READ | PROT_WRITE, MAP_SHARED, map("settings"), 0);
    if (memory == MAP_FAILED) return fail("cannot map the hook's settings", errno);
    settings = static_cast<lunar_settings*>(memory);
    return {};
  }
  // The limit is for all listeners together; connects spread over them evenly.
  void share_pending() const {
    const uint32_t listeners = std::max<uint32_t>(load(settings->workers), 1) * LUNAR_ADDRESSES_PER_WORKER;
    store<__u32>(settings->max_pending, (max_pending_accepts + listeners - 1) / listeners);
  }
};

Hook::Hook(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hook::~Hook() = default;

Result<std::unique_ptr<Hook>> Hook::create(const HookConstants& constants) {
  auto parts = load_hook(constants);
  if (!parts) return std::unexpected(parts.error());
  auto state = std::make_unique<State>();
  state->parts = std::move(*parts);
  if (auto mapped = state->map_settings(); !mapped) return std::unexpected(mapped.error());
  store<__u32>(state->settings->abi, LUNAR_ABI);
  store<__u64>(state->settings->build, hook_build());
  std::unique_ptr<Hook> hook(new Hook(std::move(state)));
  hook->set_limits({});
  if (auto ranges = hook->set_routes({}); !ranges) return std::unexpected(ranges.error());
  return hook;
}

Result<std::unique_ptr<Hook>> Hook::adopt(std::vector<NamedFd> fds) {
  auto parts = sort_parts(std::move(fds));
  if (!parts) return std::unexpected(parts.error());
  auto state = std::make_unique<State>();
  state->parts = std::move(*parts);
  if (auto mapped = state->map_settings(); !mapped) return std::unexpected(mapped.error());
  if (load(state->settings->abi) != LUNAR_ABI || load(state->settings->build) != hook_build())
    return fail("the hook in place belongs to another version of lunard");
  return std::unique_ptr<Hook>(new Hook(std::move(state)));
}

Result<> Hook::attach(const std::string& ancestor, const std::string& own) {
  if (attached()) return {};
  const bool with_quic = (load(state_->settings->flags) & LUNAR_REFUSE_QUIC) != 0;
  auto links = link_programs(state_->parts.programs, state_->parts.links,
                             {.ancestor = ancestor, .own = own, .with_quic = with_quic});
  if (!links) return std::unexpected(links.error());
  state_->parts.links.merge(*links);
  return {};
}

void Hook::detach() {
  disarm();  // at once; closing the links takes the kernel a moment
  state_->parts.links.clear();
}

void Hook::stand_aside() {
  disarm();
  std::erase_if(state_->parts.links, [](const auto& link) {
    return link.first.starts_with("connect") || link.first.starts_with("sendmsg");
  });
}

bool Hook::attached() const { return state_->parts.links.contains("connect4"); }

void Hook::arm() { store<__u32>(state_->settings->armed, 1); }
void Hook::disarm() { store<__u32>(state_->settings->armed, 0); }
bool Hook::armed() const { return load(state_->settings->armed) != 0; }

void Hook::set_limits(const HookLimits& limits) {
  lunar_settings& settings = *state_->settings;
  store<__u64>(settings.deadline_ns, static_cast<__u64>(limits.heartbeat_deadline.count()));
  store<__u64>(settings.breaker_ns, static_cast<__u64>(limits.breaker_time.count()));
  set_flag(settings, LUNAR_INCLUDE_LOOPBACK, limits.include_loopback);
  set_flag(settings, LUNAR_REFUSE_QUIC, limits.refuse_quic);
  state_->max_pending_accepts = limits.max_pending_accepts;
  state_->share_pending();
}

void Hook::set_workers(uint32_t count) {
  store<__u32>(state_->settings->workers, std::min<uint32_t>(count, LUNAR_MAX_WORKERS));
  state_->share_pending();
}

void Hook::set_worker_ports(uint32_t worker, WorkerPorts ports) {
  if (worker >= LUNAR_MAX_WORKERS) return;
  store<__u16>(state_->settings->port4[worker], ports.v4);
  store<__u16>(state_->settings->port6[worker], ports.v6);
}

WorkerPorts Hook::worker_ports(uint32_t worker) const {
  if (worker >= LUNAR_MAX_WORKERS) return {};
  return {.v4 = load(state_->settings->port4[worker]), .v6 = load(state_->settings->port6[worker])};
}

Result<> Hook::tag_listener(int listener_fd, uint32_t worker) {
  const int map = state_->map("accepted");
  // A new number would lose the connections that are under way to the old one.
  if (const auto tag = map_find<lunar_accepted>(map, listener_fd); tag && tag->worker == worker) return {};
  const lunar_accepted tag{.listener = unique_number(), .worker = worker};
  if (auto put = map_put(map, listener_fd, tag); !put)
    return fail("cannot tag a listener for the hook", put.error().os_error);
  return {};
}

Result<> Hook::set_routes(const RouteTable& routes) {
  const RangeTries tries{.v4 = state_->map("bypass4"), .v6 = state_->map("bypass6")};
  if (auto synced = tries.sync(bypass_ranges(routes)); !synced) return synced;
  set_flag(*state_->settings, LUNAR_ROUTE_V4, routes.default_v4);
  set_flag(*state_->settings, LUNAR_ROUTE_V6, routes.default_v6);
  store<__u64>(state_->settings->netns_cookie, own_netns_cookie());
  write_address(state_->settings->source4, routes.source_v4);
  write_address(state_->settings->source6, routes.source_v6);
  return {};
}

Result<> Hook::set_allowed(std::span<const Prefix> ranges) {
  RangeKinds kinds;
  for (const Prefix& range : ranges) kinds.insert_or_assign(range, LUNAR_RANGE_ALLOWED);
  const RangeTries tries{.v4 = state_->map("allow4"), .v6 = state_->map("allow6")};
  if (auto synced = tries.sync(kinds); !synced) return synced;
  set_flag(*state_->settings, LUNAR_HAS_ALLOW, !ranges.empty());
  return {};
}

Result<> Hook::set_policy(uint64_t cgroup_id, unsigned level, Policy policy) {
  if (level < LUNAR_MAX_LEVELS && state_->level_of.emplace(cgroup_id, level).second) ++state_->policies_at[level];
  const uint32_t bit = level < LUNAR_MAX_LEVELS ? 1U << level : all_levels;
  store<__u32>(state_->settings->levels, load(state_->settings->levels) | bit);
  return map_put(state_->map("policies"), cgroup_id, lunar_policy{.verdict = static_cast<__u32>(policy)});
}

void Hook::clear_policy(uint64_t cgroup_id) {
  map_withdraw(state_->map("policies"), cgroup_id);
  const auto known = state_->level_of.find(cgroup_id);
  if (known == state_->level_of.end()) return;
  const unsigned level = known->second;
  state_->level_of.erase(known);
  if (--state_->policies_at[level] == 0)
    store<__u32>(state_->settings->levels, load(state_->settings->levels) & ~(1U << level));
}

std::vector<uint64_t> Hook::policies() const {
  std::vector<uint64_t> ids;
  const int map = state_->map("policies");
  uint64_t next = 0;
  for (int end = bpf_map_get_next_key(map, nullptr, &next); end == 0;
       end = bpf_map_get_next_key(map, &ids.back(), &next))
    ids.push_back(next);
  return ids;
}

ReasonCounts Hook::counters() const {
  ReasonCounts sums{};
  std::vector<uint64_t> per_cpu(static_cast<size_t>(std::max(libbpf_num_possible_cpus(), 1)));
  for (uint32_t reason = 0; reason < LUNAR_REASONS; ++reason) {
    if (bpf_map_lookup_elem(state_->map("counters"), &reason, per_cpu.data()) != 0) continue;
    for (const uint64_t count : per_cpu) sums[reason] += count;
  }
  return sums;
}

bool Hook::breaker_open(MonotonicTime now) const {
  const auto breaker = map_find<lunar_breaker>(state_->map("breaker"), uint32_t{0});
  return breaker && breaker->until_ns > static_cast<uint64_t>(now.time_since_epoch().count());
}

void Hook::reset_breaker() { map_advise(state_->map("breaker"), uint32_t{0}, lunar_breaker{}); }

int Hook::map_fd(std::string_view name) const { return state_->map(name); }

std::vector<Hook::BorrowedFd> Hook::fds() const { return name_parts(state_->parts); }

}  // namespace lunar
