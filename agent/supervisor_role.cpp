#include "agent/supervisor_role.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include "agent/base/log.h"
#include "agent/config/gateway_start.h"
#include "agent/failsafe/places.h"
#include "agent/redirect/program_lookup.h"
#include "agent/state/access_log_line.h"

#ifndef LUNAR_VERSION
#error "the build gives the version"
#endif

namespace lunar {
namespace {

using namespace std::chrono_literals;

// A gateway that answers no probe for so long will not come back by itself.
constexpr Nanoseconds kHungAfter = 10s;
constexpr Nanoseconds kSettleLimit = 200ms, kSettlePeriod = 5ms;

uint32_t worker_count(const LunardConfig& config) {
  cpu_set_t allowed;
  const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const uint32_t cpus = known ? static_cast<uint32_t>(CPU_COUNT(&allowed)) : 1;
  return std::clamp<uint32_t>(config.workers.value_or(cpus), 1, LUNAR_MAX_WORKERS);
}

Nanoseconds tick_period(const FailsafeConfig& failsafe) {
  return std::max<Nanoseconds>(failsafe.heartbeat_deadline / 5, 5ms);
}

std::optional<std::string> text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The first line of the file, which the gateway may not read itself.
std::string key_in(const std::string& path) {
  if (path.empty()) return "";
  const std::string text = text_of(path).value_or("");
  std::string key = text.substr(0, text.find_first_of("\r\n"));
  if (key.empty()) log::error("{} holds no key: the control API over TCP refuses everybody", path);
  return key;
}

}  // namespace

Supervisor::Supervisor(EventLoop& loop, LunardConfig config)
    : loop_(loop),
      config_(std::move(config)),
      workers_(worker_count(config_)),
      service_(loop),
      listeners_(workers_),
      guard_({.enter_after = config_.failsafe.enter_after, .exit_after = config_.failsafe.exit_after}, workers_,
             monotonic_now()),
      prober_(loop, {.interval = config_.failsafe.probe_interval, .deadline = config_.failsafe.heartbeat_deadline},
              [this](const ProbeResult& result) { on_probe(result); }),
      configuration_(
          loop, config_,
          [this](const nlohmann::json& message, std::span<const int> fds) { return keeper_->send(message, fds); }),
      tick_(loop.timer([this] { tick(); })),
      second_(loop.timer([this] { each_second(); })),
      settle_(loop.timer([this] { settle(); })) {}

Supervisor::~Supervisor() {
  if (control_path_.empty()) return;
  unlink(control_path_.c_str());
  unlink(internal_socket(control_path_).c_str());
}

ExitCode Supervisor::run() { return static_cast<ExitCode>(loop_.run()); }

void Supervisor::store_descriptors() {
  service_.forget_all();
  for (const auto& named : listeners_.stored()) service_.store(named.name, named.fd);
  if (capture_ == nullptr) return;
  // Not the links: after a crash nobody could serve what they redirect, and systemd would hold on to them after we
  // have detached.
  for (const auto& named : capture_->hook().fds()) {
    if (!named.name.starts_with("hook-link-")) service_.store(named.name, named.fd);
  }
}

Result<> Supervisor::reopen_workers() {
  if (auto opened = listeners_.open_workers(); !opened) return opened;
  if (capture_ != nullptr) {
    if (auto tagged = capture_->listen_on(listeners_); !tagged) return tagged;
  }
  store_descriptors();
  return {};
}

Result<GatewayKeeper::StartKit> Supervisor::start_kit() {
  if (!listeners_.workers_open()) {
    if (auto reopened = reopen_workers(); !reopened) return std::unexpected(reopened.error());
  }
  GatewayStart start{.config = config_,
                     .version = LUNAR_VERSION,
                     .instance_id = config_.instance_id,
                     .workers = workers_,
                     .listeners = listeners_.descriptors()};
  if (start.config.admin.api_key.empty()) start.config.admin.api_key = key_in(config_.admin.api_key_file);
  std::vector<int> fds = listeners_.fds();
  if (capture_ != nullptr) capture_->give_to(start, fds);
  if (auto lookup = open_program_lookup()) {
    start.program_lookup = true;
    fds.push_back(lookup->asking.get());
    lookup_asking_ = std::move(lookup->asking);
    answer_lookups(std::move(lookup->answering));
  }
  if (authority_ != nullptr) {
    if (auto asking = authority_->connect()) {
      start.minting = true;
      fds.push_back(asking->get());
      minting_asking_ = *std::move(asking);
    } else {
      log::warn("the gateway passes TLS through: {}", asking.error().text);
    }
  }
  GatewayKeeper::StartKit kit{.message = to_json(start), .fds = std::move(fds)};
  auto bundle = configuration_.for_start();
  if (!bundle) return std::unexpected(bundle.error());
  bundle_ = *std::move(bundle);
  script_sockets_ = scripts_->connect(workers_);
  for (const Fd& socket : script_sockets_) kit.fds.push_back(socket.get());
  kit.message["scripts"] = script_sockets_.size();
  kit.message["configuration"] = true;
  kit.fds.push_back(bundle_.get());
  kit.message["failsafe"] = failsafe_report().to_json();
  return kit;
}

void Supervisor::answer_lookups(Fd answering) {
  const int fd = answering.get();
  auto source = loop_.io(fd, EPOLLIN, [this, fd](uint32_t) {
    if (!answer_program_questions(fd)) lookups_.erase(fd);
  });
  lookups_.emplace(fd, Lookup{std::move(answering), std::move(source)});
}

void Supervisor::connect_scripts() {
  keeper_->for_each([this](GatewayProcess& gateway) {
    const std::vector<Fd> sockets = scripts_->connect(workers_);
    std::vector<int> fds;
    for (const Fd& socket : sockets) fds.push_back(socket.get());
    if (auto sent = gateway.send({{"type", "scripts"}, {"scripts", fds.size()}}, fds); !sent)
      log::warn("gateway process {} cannot run scripts: {}", gateway.pid(), sent.error().text);
  });
}

void Supervisor::on_serving() {
  lookup_asking_.reset();
  minting_asking_.reset();
  script_sockets_.clear();
  answered_at_ = monotonic_now();
  prober_.ask(listeners_.probe_targets());
  if (!std::exchange(ready_said_, true)) {
    log::info("lunard {} is ready: {} workers, gateway as {}{}", LUNAR_VERSION, workers_,
              identity_ ? identity_->name : "the same user", degraded_.empty() ? "" : ", degraded");
    service_.ready();
  }
  observe();
  report_to_gateway();
  configuration_.on_serving();
}

void Supervisor::on_lost() {
  configuration_.on_lost();
  if (capture_ != nullptr) capture_->gateway_died(workers_);
  observe();
}

void Supervisor::on_queue_given_up() {
  prober_.stop();
  listeners_.shut_workers();
}

void Supervisor::on_namespace_listeners(std::span<const WorkerListener> opened) {
  if (keeper_ == nullptr || !keeper_->serving()) return;  // a gateway that starts gets all of them
  std::vector<ListenerDescriptor> descriptors;
  std::vector<int> fds;
  for (const WorkerListener& listener : opened) {
    descriptors.push_back({.role = ListenerRole::worker, .worker = listener.worker, .address = listener.address});
    fds.push_back(listener.fd.get());
  }
  if (auto sent = keeper_->send({{"type", "listeners"}, {"listeners", to_json(descriptors)}}, fds); !sent)
    log::warn("the gateway does not listen in a namespace: {}", sent.error().text);
}

void Supervisor::on_message(const ChannelMessage& message) {
  const std::string type = message.body.value("type", "");
  if (type == "reloaded") {
    configuration_.on_reloaded(message.body);
  } else if (type == "configure") {
    configuration_.on_request(message);
  } else if (type == "failsafe") {
    set_operator_bypass(message.body.value("bypass", false));
  } else {
    log::warn("the gateway says something unknown: {}", type);
  }
}

void Supervisor::on_probe(const ProbeResult& result) {
  observe();
  if (result.answered) answered_at_ = monotonic_now();
  note(guard_.probe(result.worker, result.answered, monotonic_now()));
}

void Supervisor::tick() {
  tick_.fire_after(tick_period(config_.failsafe));
  observe();
}

void Supervisor::each_second() {
  second_.fire_after(1s);
  if (capture_ != nullptr) capture_->refresh();
  report_to_gateway();
  if (!stopping_ && keeper_->serving() && monotonic_now() - answered_at_ > kHungAfter) {
    log::error("the gateway has answered no probe for {} s; it is killed and started again", kHungAfter / 1s);
    answered_at_ = monotonic_now();
    keeper_->kill();
  }
}

void Supervisor::observe() {
  const MonotonicTime now = monotonic_now();
  GuardFacts facts{.capturing = capture_ != nullptr && capture_->capturing(),
                   .stopping = stopping_,
                   .gateway_running = keeper_ != nullptr && keeper_->serving(),
                   .alive = {}};
  if (capture_ != nullptr) facts.alive = capture_->alive(workers_, now);
  note(guard_.observe(facts, now));
}

void Supervisor::note(const std::optional<GuardTransition>& transition) {
  if (capture_ != nullptr) capture_->apply(guard_.decision());
  if (!transition) return;
  const auto age = capture_ != nullptr ? capture_->heartbeat_age(workers_, monotonic_now()) : std::nullopt;
  transitions_.note(*transition, fmt::format("pending accepts {}, last heartbeat {}", listeners_.pending(),
                                             age ? fmt::format("{} ms ago", *age / 1ms) : "never"));
  service_.status(fmt::format("{}: {}", name(transition->to), name(transition->reason)));
  if (keeper_ != nullptr) report_to_gateway();
}

void Supervisor::look_again() { observe(); }

void Supervisor::set_operator_bypass(bool on) { note(guard_.set_operator_bypass(on, monotonic_now())); }

admin::FailsafeReport Supervisor::failsafe_report() const {
  admin::FailsafeReport report{.state = std::string(name(guard_.state())),
                               .reason = std::string(name(guard_.reason()))};
  append_timestamp(report.since, std::chrono::nanoseconds(transitions_.since().time_since_epoch()).count());
  for (const auto& [key, count] : transitions_.counts()) {
    const auto& [from, to, reason] = key;
    report.transitions.push_back({std::string(name(from)), std::string(name(to)), std::string(name(reason)), count});
  }
  return report;
}

nlohmann::json Supervisor::failsafe() const {
  nlohmann::json out = failsafe_report().to_json();
  const MonotonicTime now = monotonic_now();
  out["operator_bypass"] = guard_.operator_bypass();
  out["failed_probes"] = guard_.failed_probes();
  out["pending_accepts"] = listeners_.pending();
  out["heartbeat_age_ms"] = nullptr;
  out["direct_connections"] = nlohmann::json::object();
  if (capture_ == nullptr) return out;
  if (const auto age = capture_->heartbeat_age(workers_, now)) out["heartbeat_age_ms"] = *age / 1ms;
  const ReasonCounts counts = capture_->hook().counters();
  for (unsigned reason = 0; reason < LUNAR_REASONS; ++reason) {
    if (reason != LUNAR_REDIRECTED && counts[reason] != 0)
      out["direct_connections"][lunar_reason_name(reason)] = counts[reason];
  }
  out["redirected"] = counts[LUNAR_REDIRECTED];
  return out;
}

void Supervisor::report_to_gateway() {
  if (!keeper_->serving()) return;
  nlohmann::json message{{"type", "failsafe"}, {"failsafe", failsafe()}, {"degraded", degraded_}};
  if (auto sent = keeper_->send(message); !sent) log::debug("the gateway was not told: {}", sent.error().text);
}

void Supervisor::shut_down() {
  const bool again = std::exchange(stopping_, true);
  log::info(again ? "asked again: what is left is cut off" : "shutting down: nothing is redirected any more");
  service_.stopping();
  observe();
  prober_.stop();
  service_.forget_all();
  settled_by_ = again ? MonotonicTime{} : monotonic_now() + kSettleLimit;
  grace_ = again ? Nanoseconds(0) : Nanoseconds(config_.shutdown_grace);
  settle();
}

// Connections that were redirected a moment ago are still in the queues; a gateway that drains takes no more.
void Supervisor::settle() {
  if (listeners_.pending() > 0 && monotonic_now() < settled_by_) return settle_.fire_after(kSettlePeriod);
  keeper_->stop(grace_, [this] { loop_.quit(static_cast<int>(ExitCode::clean)); });
}

}  // namespace lunar
