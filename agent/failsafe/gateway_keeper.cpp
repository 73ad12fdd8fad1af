#include "agent/failsafe/gateway_keeper.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/log.h"

namespace lunar {
namespace {

int64_t milliseconds(Nanoseconds time) { return std::chrono::ceil<std::chrono::milliseconds>(time).count(); }

}  // namespace

GatewayKeeper::GatewayKeeper(EventLoop& loop, GatewayCommand command, KeeperLimits limits, Events events)
    : loop_(loop),
      command_(std::move(command)),
      limits_(limits),
      events_(std::move(events)),
      backoff_(limits.backoff_first, limits.backoff_most),
      respawn_(loop.timer([this] { start_current(); })),
      queue_limit_(loop.timer([this] { queue_waited_too_long(); })) {}

GatewayKeeper::~GatewayKeeper() = default;

void GatewayKeeper::start() { respawn_after(Nanoseconds(0)); }

void GatewayKeeper::respawn_after(Nanoseconds delay) {
  if (!stopping_) respawn_.fire_after(delay);
}

void GatewayKeeper::start_current() {
  auto member = spawn();
  if (member) {
    current_ = std::move(*member);
    return;
  }
  log::error("cannot start the gateway: {}", member.error().text);
  respawn_after(backoff_.next());
}

Result<std::unique_ptr<GatewayKeeper::Member>> GatewayKeeper::spawn() {
  auto kit = events_.prepare();
  if (!kit) return std::unexpected(kit.error());
  auto member = std::make_unique<Member>();
  Member* self = member.get();
  auto process =
      GatewayProcess::spawn(loop_, command_,
                            {.message = [this, self](ChannelMessage message) { on_message(*self, std::move(message)); },
                             .ended = [this, self](const std::string& how) { on_ended(*self, how); }});
  if (!process) return std::unexpected(process.error());
  member->process = std::move(*process);
  member->pid = member->process->pid();
  if (auto sent = member->process->send(kit->message, kit->fds); !sent) return std::unexpected(sent.error());
  member->limit = loop_.timer([self, limit = limits_.start_within] {
    log::error("the gateway process {} was not ready within {} ms; it is killed", self->process->pid(),
               milliseconds(limit));
    self->process->kill();
  });
  member->limit.fire_after(limits_.start_within);
  log::info("started gateway process {}", self->process->pid());
  return member;
}

void GatewayKeeper::on_message(Member& member, ChannelMessage message) {
  const std::string type = message.body.value("type", "");
  if (type == "ready") {
    on_ready(member);
  } else if (type == "fatal") {
    log::error("gateway process {}: {}", member.process->pid(), message.body.value("text", ""));
  } else if (type == "drained") {
    log::debug("gateway process {} has drained", member.process->pid());
  } else {
    events_.message(std::move(message));
  }
}

void GatewayKeeper::on_ready(Member& member) {
  if (member.ready) return;
  member.ready = true;
  member.ready_at = monotonic_now();
  member.limit.rest();
  queue_limit_.rest();
  if (&member == successor_.get()) {
    if (current_ != nullptr) {
      hand_over(*current_, member);
      draining_.push_back(std::move(current_));
    }
    current_ = std::move(successor_);
    log::info("gateway process {} has taken over", current_->process->pid());
    if (const auto done = std::exchange(replaced_, {})) done({});
  }
  events_.serving();
}

void GatewayKeeper::hand_over(Member& from, Member& to) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    log::warn("idle connections are not handed over: {}", strerror(errno));
    return drain(from, limits_.drain);
  }
  const Fd giving(ends[0]), taking(ends[1]);
  const std::array take{taking.get()};
  if (auto sent = to.process->send({{"type", "adopt"}}, take); !sent)
    log::warn("idle connections are not handed over: {}", sent.error().text);
  drain(from, limits_.drain, giving.get());
}

void GatewayKeeper::drain(Member& member, Nanoseconds grace, std::optional<int> handover) {
  const nlohmann::json message{
      {"type", "drain"}, {"grace_ms", milliseconds(grace)}, {"handover", handover.has_value()}};
  const int fd = handover.value_or(-1);
  if (auto sent = member.process->send(message, std::span(&fd, handover ? 1 : 0)); !sent)
    log::warn("gateway process {} was not told to drain: {}", member.process->pid(), sent.error().text);
  member.limit = loop_.timer([self = &member] {
    log::warn("gateway process {} did not end in the time it was given; it is killed", self->process->pid());
    self->process->kill();
  });
  member.limit.fire_after(grace + limits_.leave_within);
}

void GatewayKeeper::on_ended(Member& member, const std::string& how) {
  if (&member == current_.get()) return current_ended(how);
  if (&member == successor_.get()) return successor_ended(how);
  log::info("the replaced gateway process {} {}", member.pid, how);
  std::erase_if(draining_, [&member](const auto& other) { return other.get() == &member; });
  check_stopped();
}

void GatewayKeeper::current_ended(const std::string& how) {
  const bool served = current_->ready;
  const pid_t pid = current_->pid;
  if (served && monotonic_now() - current_->ready_at >= limits_.steady_after) backoff_.reset();
  current_.reset();
  if (stopping_) {
    log::info("the gateway process {} {}", pid, how);
    return check_stopped();
  }
  ++deaths_;
  log::error("the gateway process {} {}", pid, how);
  if (served) {
    queue_limit_.fire_after(limits_.back_within);
    events_.lost(how);
  }
  if (successor_ == nullptr) return respawn_after(backoff_.next());
  current_ = std::move(successor_);
  if (const auto done = std::exchange(replaced_, {}))
    done(fail("the old gateway process " + how + " before the new one was ready"));
}

void GatewayKeeper::successor_ended(const std::string& how) {
  log::error("the new gateway process {} {} before it was ready; the old one goes on", successor_->pid, how);
  successor_.reset();
  if (const auto done = std::exchange(replaced_, {}))
    done(fail("the new gateway process " + how + "; the old one goes on"));
  check_stopped();
}

void GatewayKeeper::queue_waited_too_long() {
  log::error("no gateway was ready within {} ms; connections that wait for it are reset",
             milliseconds(limits_.back_within));
  events_.give_up_queue();
  if (current_ == nullptr) return;
  // What it was given to listen on is shut now; its successor gets new listeners.
  backoff_.reset();
  current_->process->kill();
}

void GatewayKeeper::replace(Done done) {
  if (stopping_) return done(fail("lunard is shutting down", EBUSY));
  if (successor_ != nullptr) return done(fail("a restart is under way already", EBUSY));
  if (!serving()) return done(fail("no gateway is serving; one is being started", EBUSY));
  if (draining_.size() >= limits_.draining)
    return done(
        fail(fmt::format("{} replaced gateways still have connections; try again later", draining_.size()), EBUSY));
  auto member = spawn();
  if (!member) return done(std::unexpected(member.error()));
  successor_ = std::move(*member);
  replaced_ = std::move(done);
}

void GatewayKeeper::stop(Nanoseconds grace, std::function<void()> stopped) {
  stopping_ = true;
  stopped_ = std::move(stopped);
  respawn_.rest();
  queue_limit_.rest();
  if (successor_ != nullptr) successor_->process->kill();
  if (current_ != nullptr && !current_->ready) current_->process->kill();
  if (serving()) drain(*current_, grace);
  for (const auto& member : draining_) drain(*member, grace);
  check_stopped();
}

void GatewayKeeper::check_stopped() {
  if (!stopping_ || current_ != nullptr || successor_ != nullptr || !draining_.empty()) return;
  if (const auto stopped = std::exchange(stopped_, {})) stopped();
}

void GatewayKeeper::kill() {
  if (current_ != nullptr) current_->process->kill();
}

Result<> GatewayKeeper::send(const nlohmann::json& message, std::span<const int> fds) {
  if (!serving()) return fail("no gateway is serving", ENOTCONN);
  return current_->process->send(message, fds);
}

void GatewayKeeper::tell_all(const nlohmann::json& message) {
  const auto tell = [&message](const Member& member) {
    if (auto sent = member.process->send(message); !sent)
      log::warn("gateway process {} was not told: {}", member.process->pid(), sent.error().text);
  };
  if (serving()) tell(*current_);
  for (const auto& member : draining_) tell(*member);
}

void GatewayKeeper::for_each(const std::function<void(GatewayProcess&)>& act) {
  for (const auto* member : {&current_, &successor_})
    if (*member != nullptr) act(*(*member)->process);
  for (const auto& member : draining_) act(*member->process);
}

std::optional<pid_t> GatewayKeeper::pid() const {
  if (current_ == nullptr) return std::nullopt;
  return current_->process->pid();
}

}  // namespace lunar
