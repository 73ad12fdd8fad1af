#include "agent/capture_role.h"

#include <sys/epoll.h>

#include <algorithm>

#include "agent/base/log.h"
#include "agent/config/capture_lists.h"

namespace lunar {
namespace {

HookLimits limits_of(const LunardConfig& config) {
  return {.heartbeat_deadline = config.failsafe.heartbeat_deadline,
          .max_pending_accepts = config.failsafe.max_pending_accepts,
          .include_loopback = config.capture.include_loopback,
          .refuse_quic = config.capture.quic == QuicCapture::refuse};
}

Result<std::unique_ptr<Hook>> take_or_create(std::vector<NamedFd> stored) {
  if (!stored.empty()) {
    auto adopted = Hook::adopt(std::move(stored));
    if (adopted) {
      log::info("took over the hook of the previous lunard");
      // Its links may belong to a cgroup that went with the previous lunard; ours follow in a moment.
      (*adopted)->detach();
      return adopted;
    }
    log::info("the hook of the previous lunard is not taken over: {}", adopted.error().text);
  }
  return Hook::create();
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::open(EventLoop& loop, Setup setup) {
  std::unique_ptr<Capture> capture(
      new Capture(setup.config.failsafe.heartbeat_deadline, setup.cgroup.mount(), setup.cgroup.directory()));
  if (auto ready = capture->set_up(loop, setup); !ready) return std::unexpected(ready.error());
  return capture;
}

Result<> Capture::set_up(EventLoop& loop, Setup& setup) {
  auto hook = take_or_create(std::move(setup.stored));
  if (!hook) return std::unexpected(hook.error());
  hook_ = std::move(*hook);
  hook_->disarm();
  hook_->set_limits(limits_of(setup.config));
  hook_->set_workers(setup.workers);
  auto heartbeats = Heartbeats::map(hook_->map_fd("heartbeats"));
  if (!heartbeats) return std::unexpected(heartbeats.error());
  heartbeats_.emplace(std::move(*heartbeats));

  auto lists = CaptureLists::create(setup.config.capture.allow_list, setup.config.capture.block_list);
  if (!lists) {
    log::error("{}; everything is relayed without flows until it is corrected", lists.error().text);
  } else if (auto set = hook_->set_allowed(lists->allowed_ranges()); !set) {
    return set;
  }
  auto routes = Routes::open();
  if (!routes) return std::unexpected(routes.error());
  routes_ = std::move(*routes);
  if (auto set = hook_->set_routes(routes_->table()); !set) return set;
  if (auto attached = attach_links(); !attached) return attached;

  netns_ = std::make_unique<NetnsListeners>(*hook_, setup.workers, std::move(setup.opened));
  auto attachments = Attachments::open(*hook_, netns_.get(),
                                       {.cgroup_root = setup.cgroup.mount(),
                                        .state_file = setup.config.state.dir + "/attachments.json",
                                        .own_cgroup = setup.cgroup.path()});
  if (!attachments) return std::unexpected(attachments.error());
  attachments_ = std::move(*attachments);
  routes_source_ = loop.io(routes_->fd(), EPOLLIN, [this](uint32_t) {
    if (!routes_->on_readable()) return;
    if (auto set = hook_->set_routes(routes_->table()); !set) log::error("{}", set.error().text);
  });
  attachments_source_ = loop.io(attachments_->fd(), EPOLLIN, [this](uint32_t) { attachments_->on_readable(); });
  return {};
}

Result<> Capture::attach_links() {
  auto attached = hook_->attach(ancestor_, own_);
  const std::string fault = attached ? "" : attached.error().text;
  if (!fault.empty() && fault != fault_) log::error("captured connections go direct: {}", fault);
  fault_ = fault;
  return attached;
}

Result<> Capture::listen_on(const ListenerSet& listeners) {
  for (const WorkerListener& listener : listeners.workers()) {
    if (auto tagged = hook_->tag_listener(listener.fd.get(), listener.worker); !tagged) return tagged;
    hook_->set_worker_ports(listener.worker, listeners.ports(listener.worker));
  }
  return {};
}

void Capture::apply(const GuardDecision& decision) {
  const bool wanted = decision.attach && !attachments_->list().empty();
  if (!wanted && hook_->attached()) hook_->stand_aside();  // refresh() takes the rest away
  if (wanted && !hook_->attached() && !attach_links()) return;
  if (decision.redirect == hook_->armed()) return;
  if (decision.redirect) {
    hook_->reset_breaker();
    hook_->arm();
  } else {
    hook_->disarm();
  }
}

void Capture::gateway_died(uint32_t workers) {
  hook_->disarm();
  for (uint32_t worker = 0; worker < workers; ++worker) heartbeats_->expire(worker);
}

void Capture::refresh() {
  attachments_->refresh();
  for (const Attachment& attachment : attachments_->list()) {
    if (!attachment.options.transient || !attachment.cgroups.empty()) continue;
    if (auto detached = attachments_->detach(attachment.target); !detached) log::warn("{}", detached.error().text);
  }
  if (attachments_->list().empty()) {
    // Handshakes that were under way at the last detach are over when this is seen for the second time.
    if (++looks_without_target_ == 2) hook_->detach();
    return;
  }
  looks_without_target_ = 0;
  if (fault_.empty()) return;
  if (auto attached = attach_links()) log::info("captured connections can be redirected again");
}

void Capture::give_to(GatewayStart& start, std::vector<int>& fds) const {
  netns_->each([&](uint64_t, std::span<const WorkerListener> opened) {
    for (const WorkerListener& listener : opened) {
      start.listeners.push_back({.role = ListenerRole::worker, .worker = listener.worker, .address = listener.address});
      fds.push_back(listener.fd.get());
    }
  });
  for (const auto& [name, hook_name] : {std::pair{map_name::origins, "accepted"},
                                        {map_name::own_sockets, "own-sockets"},
                                        {map_name::unreachable, "unreachable"},
                                        {map_name::heartbeats, "heartbeats"}}) {
    start.maps.emplace_back(name);
    fds.push_back(hook_->map_fd(hook_name));
  }
}

bool Capture::capturing() const { return fault_.empty() && !attachments_->list().empty(); }

WorkerSet Capture::alive(uint32_t workers, MonotonicTime now) const {
  WorkerSet alive;
  for (uint32_t worker = 0; worker < workers; ++worker)
    alive.set(worker, now - heartbeats_->last_beat(worker) < deadline_);
  return alive;
}

std::optional<Nanoseconds> Capture::heartbeat_age(uint32_t workers, MonotonicTime now) const {
  MonotonicTime youngest{};
  for (uint32_t worker = 0; worker < workers; ++worker) youngest = std::max(youngest, heartbeats_->last_beat(worker));
  if (youngest == MonotonicTime{}) return std::nullopt;
  return now - youngest;
}

}  // namespace lunar
