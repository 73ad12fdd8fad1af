// The start of the supervisor, step by step; each either works or ends lunard with the exit code of its kind.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/log.h"
#include "agent/control_role.h"
#include "agent/failsafe/places.h"
#include "agent/supervisor_role.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSpareFiles = 4096;

// Of this process and what it starts; gives what it could get.
uint64_t raise_file_limit(uint64_t wanted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit raised{.rlim_cur = wanted, .rlim_max = std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  limit.rlim_cur = std::min(limit.rlim_max, wanted);
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

ExitCode Supervisor::open(std::vector<NamedFd> stored) {
  service_.inherit(stored);
  if (const ExitCode code = open_places(); code != ExitCode::clean) return code;
  if (const ExitCode code = open_listeners(stored); code != ExitCode::clean) return code;
  if (const ExitCode code = open_capture(std::move(stored)); code != ExitCode::clean) return code;
  if (const ExitCode code = open_control(); code != ExitCode::clean) return code;
  configuration_.recover();
  open_keeper();
  open_signals();
  store_descriptors();
  scripts_->start();
  keeper_->start();
  tick_.fire_after(0ns);
  second_.fire_after(1s);
  return ExitCode::clean;
}

ExitCode Supervisor::open_places() {
  if (geteuid() == 0) {
    auto identity = find_identity({"lunar", "nobody"});
    if (!identity) {
      log::error("{}", identity.error().text);
      return ExitCode::fatal;
    }
    identity_ = *identity;
  }
  if (auto made = make_places(config_, identity_); !made) {
    log::error("{}: {}", made.error().text, strerror(made.error().os_error));
    return ExitCode::fatal;
  }
  if (!config_.capture.enabled) return ExitCode::clean;
  // Before any listener is opened: accepted sockets belong to the cgroup of their listener.
  auto cgroup = OwnCgroup::enter();
  if (cgroup) {
    cgroup_.emplace(std::move(*cgroup));
  } else {
    degraded_ = cgroup.error().text;
  }
  return ExitCode::clean;
}

ExitCode Supervisor::open_listeners(std::vector<NamedFd>& stored) {
  if (answers(config_.control.socket)) {
    log::error("another lunard serves {}; stop it, or choose another --socket", config_.control.socket);
    return ExitCode::listener;
  }
  listeners_.adopt(stored);
  auto opened = listeners_.open_entries(config_.listeners);
  if (opened) opened = listeners_.open_workers();
  if (opened) opened = listeners_.open_internal_control(internal_socket(config_.control.socket));
  if (opened) return ExitCode::clean;
  log::error("{}", opened.error().text);
  return ExitCode::listener;
}

ExitCode Supervisor::open_capture(std::vector<NamedFd> stored) {
  if (!config_.capture.enabled) return ExitCode::clean;
  if (degraded_.empty()) {
    auto capture = Capture::open(loop_, {.config = config_,
                                         .workers = workers_,
                                         .cgroup = *cgroup_,
                                         .stored = std::move(stored),
                                         .opened = [this](uint64_t, std::span<const WorkerListener> opened) {
                                           on_namespace_listeners(opened);
                                         }});
    Result<> outcome;
    if (capture) {
      outcome = (*capture)->listen_on(listeners_);
    } else {
      outcome = std::unexpected(capture.error());
    }
    if (outcome) {
      capture_ = std::move(*capture);
      return ExitCode::clean;
    }
    degraded_ = outcome.error().text;
    if (outcome.error().os_error != 0) degraded_ += fmt::format(": {}", strerror(outcome.error().os_error));
  }
  if (config_.capture.required) {
    log::error("the hook cannot be attached: {}", degraded_);
    return ExitCode::hook;
  }
  log::warn("degraded: nothing is captured, only explicit modes work: {}", degraded_);
  return ExitCode::clean;
}

ExitCode Supervisor::open_control() {
  auto listener = listen_for_control(config_.control);
  if (listener) {
    control_path_ = config_.control.socket;
    control_ = make_control_host(*this);
    auto server = admin::ControlServer::create(loop_, std::move(*listener), *control_, internal_socket(control_path_));
    if (server) {
      control_server_ = std::move(*server);
      return ExitCode::clean;
    }
    listener = std::unexpected(server.error());
  }
  log::error("{}: {}", listener.error().text, strerror(listener.error().os_error));
  return ExitCode::listener;
}

void Supervisor::open_keeper() {
  // Two for each connection; descriptors on their way to a gateway count as ours.
  const uint64_t wanted = uint64_t{config_.max_connections} * 2 + kSpareFiles;
  const uint64_t files = raise_file_limit(wanted);
  if (files < wanted)
    log::warn("{} open files are allowed, {} connections need {}: raise LimitNOFILE= or ulimit -Hn", files,
              config_.max_connections, wanted);
  if (!config_.tls.intercept.empty()) authority_ = std::make_unique<AuthorityRole>(loop_, config_.tls);
  scripts_ = std::make_unique<ScriptKeeper>(
      loop_, GatewayCommand{.arguments = {"lunard", "--role=scripts"}, .identity = identity_}, workers_,
      [this] { connect_scripts(); });
  keeper_ = std::make_unique<GatewayKeeper>(
      loop_, GatewayCommand{.identity = identity_, .open_files = files}, KeeperLimits{},
      GatewayKeeper::Events{.prepare = [this] { return start_kit(); },
                            .serving = [this] { on_serving(); },
                            .lost = [this](const std::string&) { on_lost(); },
                            .give_up_queue = [this] { on_queue_given_up(); },
                            .message = [this](const ChannelMessage& message) { on_message(message); }});
}

void Supervisor::open_signals() {
  for (const int number : {SIGTERM, SIGINT}) signals_.push_back(loop_.signal(number, [this] { shut_down(); }));
  signals_.push_back(loop_.signal(SIGHUP, [this] {
    service_.reloading();
    configuration_.reload(true, [this](const Result<nlohmann::json>& outcome) {
      if (!outcome) log::error("the configuration was not reloaded: {}", outcome.error().text);
      if (outcome && !outcome->value("accepted", false))
        log::error("the configuration was not reloaded: {}", outcome->value("error", ""));
      service_.ready();
    });
  }));
  signals_.push_back(loop_.signal(SIGUSR1, [this] { keeper_->tell_all({{"type", "reopen_logs"}}); }));
  signals_.push_back(loop_.signal(SIGUSR2, [this] {
    restart_gateway([](const Result<>& outcome) {
      if (!outcome) log::error("the gateway was not replaced: {}", outcome.error().text);
    });
  }));
}

}  // namespace lunar
