#include "agent/gateway_role.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "agent/admin/gateway_admin.h"
#include "agent/base/channel.h"
#include "agent/base/event_loop.h"
#include "agent/base/log.h"
#include "agent/config/gateway_config.h"
#include "agent/config/gateway_start.h"
#include "agent/configuration_questions.h"
#include "agent/failsafe/gateway_process.h"
#include "agent/failsafe/log_level.h"
#include "agent/flow_role.h"
#include "agent/gateway/gateway.h"
#include "agent/gateway/handover.h"
#include "agent/gateway_report.h"
#include "agent/log_options.h"
#include "agent/redirect/program_lookup.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kStartLimit = 10s;
constexpr auto kEndCheck = 10ms;  // how often a drain looks whether it is complete
// A dead supervisor's hook may outlive its channel: what is redirected until then must find somebody who accepts.
constexpr auto kHookLinger = 200ms;

class GatewayRole : public admin::GatewayView {
 public:
  GatewayRole(EventLoop& loop, Channel channel) : loop_(loop), channel_(std::move(channel)) {}

  [[nodiscard]] Result<> start(ChannelMessage first);
  void tell(const json& message);
  [[nodiscard]] int run() { return loop_.run(); }

  [[nodiscard]] admin::GatewayCounters counters() const override { return counters_of(*gateway_); }
  [[nodiscard]] std::vector<admin::WorkerView> workers() const override { return workers_of(*gateway_, draining_); }
  [[nodiscard]] admin::Readiness readiness() const override;
  [[nodiscard]] admin::FailsafeReport failsafe() const override {
    return admin::FailsafeReport::from_json(failsafe_.value("failsafe", json::object()));
  }
  [[nodiscard]] uint64_t pending_accepts() const override { return failsafe_value("pending_accepts", uint64_t{0}); }
  [[nodiscard]] std::vector<std::pair<std::string, uint64_t>> direct_connections() const override;
  Result<> request_configuration(const admin::ConfigurationRequest& request,
                                 admin::ConfigurationAnswered done) override {
    return questions_.ask(channel_, request, std::move(done));
  }
  [[nodiscard]] json loaded_files() const override { return flows_->describe_files(); }
  [[nodiscard]] json flows() override;
  [[nodiscard]] json quotas() const override { return flows_->describe_quotas(); }
  [[nodiscard]] json tls() const override {
    const auto* tls = gateway_->shared().tls;
    return tls != nullptr ? tls->describe() : json{{"intercepting", false}};
  }
  [[nodiscard]] std::string discovery() override { return flows_->outlets().discovery(); }
  void write_metrics(MetricText& text) override { flows_->write_metrics(text); }
  void observe(const CallView& call) override { flows_->outlets().observe(call); }
  [[nodiscard]] std::shared_ptr<const MetricsSpec> metrics_spec() const override { return flows_->metrics_spec(); }
  Result<> reopen_exporters() override { return flows_->outlets().reopen(); }
  Result<> flush_exporters() override { return flows_->outlets().flush(); }
  Result<> request_failsafe(admin::FailsafeMode mode) override {
    return channel_.send({{"type", "failsafe"}, {"bypass", mode == admin::FailsafeMode::bypass}});
  }

 private:
  template <class T>
  [[nodiscard]] T failsafe_value(const char* key, T otherwise) const {
    return failsafe_.value("failsafe", json::object()).value(key, std::move(otherwise));
  }
  [[nodiscard]] Result<> serve_admin(const GatewayStart& start, std::vector<Fd>& fds);
  void on_channel();
  void on_message(ChannelMessage message);
  void on_listeners(ChannelMessage& message);
  void on_drain(ChannelMessage& message);
  void on_adopt(ChannelMessage& message);
  void on_reload(ChannelMessage& message);
  void on_supervisor_gone();
  void end_after(Nanoseconds grace);
  void check_ended();
  void note_skipped(const Diagnostics& diagnostics);

  EventLoop& loop_;
  Channel channel_;
  Fd lookup_;
  std::optional<FlowRole> flows_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<admin::GatewayAdmin> admin_;
  ConfigurationQuestions questions_;
  json failsafe_ = json::object();  // the supervisor's last report
  std::vector<admin::SkippedFile> skipped_;
  bool draining_ = false;
  bool finishing_ = false;  // all sessions have ended, what they left is being written
  Fd adopting_;
  EventLoop::Source channel_source_, adopt_source_, end_check_, grace_, hook_gone_;
};

Result<> GatewayRole::start(ChannelMessage first) {
  auto start = gateway_start_from_json(first.body);
  if (!start) return std::unexpected(start.error());
  auto bundle = take_bundle(first);
  if (!bundle) return std::unexpected(bundle.error());
  std::vector<Fd> script_sockets = take_script_sockets(first);
  if (start->fd_count() != first.fds.size())
    return fail(fmt::format("start message: {} descriptors, not {}", first.fds.size(), start->fd_count()));
  spdlog::set_level(level_of(start->config.log_level));
  const LunardConfig config = start->config;
  flows_.emplace(loop_, *start);
  LoadedFlows loaded = load_flows(*bundle, config, true);
  note_skipped(loaded.findings);
  auto tls = gateway::TlsInterception::prepare(config.tls, loaded.gateway.config);
  if (!tls) log::error("no TLS is opened: {}", tls.error().text);
  if (auto confined = flows_->confine(loaded); !confined) return confined;

  failsafe_["failsafe"] = first.body.value("failsafe", json::object());
  auto gateway = gateway::Gateway::create(*start, first.fds, loaded.gateway.config.domains,
                                          {.script_sockets = std::move(script_sockets),
                                           .records = &flows_->outlets().queue(),
                                           .tls = tls ? *std::move(tls) : nullptr});
  if (!gateway) return std::unexpected(gateway.error());
  gateway_ = std::move(*gateway);
  flows_->begin(*gateway_, std::move(loaded));
  if (auto running = gateway_->start(); !running) return running;
  if (auto serving = serve_admin(*start, first.fds); !serving) return serving;

  end_check_ = loop_.timer([this] { check_ended(); });
  grace_ = loop_.timer([this] { gateway_->end(); });
  hook_gone_ = loop_.timer([this] { gateway_->shut_down(); });
  channel_source_ = loop_.io(channel_.fd(), EPOLLIN, [this](uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !channel_.flush()) log::debug("the supervisor does not listen");
    on_channel();
  });
  tell({{"type", "ready"}});
  return {};
}

Result<> GatewayRole::serve_admin(const GatewayStart& start, std::vector<Fd>& fds) {
  admin::GatewayAdminOptions options{.version = start.version,
                                     .instance_id = start.instance_id,
                                     .request_id_prefix = gateway_->shared().request_id_prefix,
                                     .api_key = start.config.admin.api_key,
                                     .managed = start.config.managed,
                                     .access_log = access_log_options(start.config.access_log),
                                     .rings = {},
                                     .program_of = {}};
  if (auto position = start.program_lookup_position()) {
    lookup_ = std::move(fds[*position]);
    options.program_of = [questions = std::make_shared<ProgramQuestions>(lookup_.get())](uint32_t pid) {
      return questions->program_of(pid);
    };
  }
  for (const auto& worker : gateway_->workers()) options.rings.push_back(&worker->records());
  auto admin = admin::GatewayAdmin::create(loop_, std::move(options), *this);
  if (!admin) return std::unexpected(admin.error());
  admin_ = std::move(*admin);
  for (size_t i = 0; i < start.listeners.size(); ++i) {
    Result<> served;
    switch (start.listeners[i].role) {
      case ListenerRole::health:
        served = admin_->serve_health(std::move(fds[i]));
        break;
      case ListenerRole::metrics:
        served = admin_->serve_metrics(std::move(fds[i]));
        break;
      case ListenerRole::admin:
        served = admin_->serve_admin(std::move(fds[i]));
        break;
      case ListenerRole::internal_control:
        served = admin_->serve_internal(std::move(fds[i]));
        break;
      default:
        break;  // the data path has it
    }
    if (!served) return served;
  }
  return {};
}

void GatewayRole::tell(const json& message) {
  if (auto sent = channel_.send(message); !sent) log::debug("the supervisor was not told: {}", sent.error().text);
  if (channel_source_) channel_source_.watch(channel_.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void GatewayRole::on_channel() {
  while (true) {
    auto message = channel_.receive();
    if (!message) {
      log::error("{}", message.error().text);
      return loop_.quit(1);
    }
    if (!*message) break;
    on_message(std::move(**message));
  }
  if (channel_.closed()) on_supervisor_gone();
}

void GatewayRole::on_message(ChannelMessage message) {
  const std::string type = message.body.value("type", "");
  if (type == "failsafe") {
    failsafe_ = std::move(message.body);
  } else if (type == "listeners") {
    on_listeners(message);
  } else if (type == "drain") {
    on_drain(message);
  } else if (type == "adopt") {
    on_adopt(message);
  } else if (type == "reopen_logs") {
    admin_->reopen_logs();
    if (auto reopened = flows_->outlets().reopen(); !reopened) log::warn("{}", reopened.error().text);
  } else if (type == "scripts") {
    gateway_->connect_scripts(take_script_sockets(message));
  } else if (type == "reload") {
    on_reload(message);
  } else if (type == "configured") {
    questions_.on_answer(message);
  } else {
    log::warn("the supervisor says something unknown: {}", type);
  }
}

void GatewayRole::on_listeners(ChannelMessage& message) {
  auto listeners = listeners_from_json(message.body.value("listeners", json::array()));
  if (!listeners || listeners->size() != message.fds.size())
    return log::error("a message about listeners is malformed");
  for (size_t i = 0; i < listeners->size(); ++i) {
    const ListenerDescriptor& listener = (*listeners)[i];
    if (listener.worker < gateway_->workers().size())
      gateway_->add_listener(listener.worker, std::move(message.fds[i]), listener.role);
  }
}

void GatewayRole::on_drain(ChannelMessage& message) {
  const auto grace = std::chrono::milliseconds(message.body.value("grace_ms", int64_t{0}));
  const bool handover = message.body.value("handover", false) && !message.fds.empty();
  draining_ = true;
  if (handover) {
    log::info("handing over to a successor");
    admin_->close_listeners();
    gateway_->hand_over(std::move(message.fds.front()));
  } else {
    gateway_->shut_down();
  }
  end_after(grace);
}

void GatewayRole::on_supervisor_gone() {
  log::warn("the supervisor is gone; draining");
  channel_source_.reset();
  draining_ = true;
  admin_->close_listeners();
  hook_gone_.fire_after(kHookLinger);
  end_after(kHookLinger + gateway_->shared().start.config.shutdown_grace);
}

void GatewayRole::end_after(Nanoseconds grace) {
  end_check_.fire_after(0ns);
  grace_.fire_after(grace);
}

void GatewayRole::check_ended() {
  if (!gateway_->ended()) return end_check_.fire_after(kEndCheck);
  if (!std::exchange(finishing_, true)) {
    admin_->finish();  // its last records are news for the discovery state
    flows_->finish();
  }
  if (!flows_->finished()) return end_check_.fire_after(kEndCheck);
  tell({{"type", "drained"}});
  loop_.quit(0);
}

void GatewayRole::on_adopt(ChannelMessage& message) {
  if (message.fds.empty()) return;
  adopting_ = std::move(message.fds.front());
  adopt_source_ = loop_.io(adopting_.get(), EPOLLIN, [this](uint32_t) {
    bool closed = false;
    while (auto client = gateway::receive_client(adopting_.get(), closed))
      gateway_->adopt(std::move(client->client), client->role);
    if (!closed) return;
    adopt_source_.reset();
    adopting_.reset();
  });
}

void GatewayRole::on_reload(ChannelMessage& message) {
  const bool activate = message.body.value("activate", true);
  Result<json> outcome =
      flows_->reload(message, activate, [this](const Diagnostics& findings) { note_skipped(findings); });
  json answer =
      outcome ? *outcome : json{{"accepted", false}, {"msg", "no configuration"}, {"error", outcome.error().text}};
  tell({{"type", "reloaded"}, {"question", message.body.value("question", uint64_t{0})}, {"outcome", answer}});
}

json GatewayRole::flows() {
  json skipped = json::array();
  for (const admin::SkippedFile& file : skipped_)
    skipped.push_back({{"file", file.file}, {"line", file.line}, {"column", file.column}, {"text", file.text}});
  return {{"flows", flows_->describe_flows()}, {"skipped", std::move(skipped)}};
}

void GatewayRole::note_skipped(const Diagnostics& diagnostics) {
  skipped_.clear();
  for (const Diagnostic& finding : diagnostics.list()) {
    if (finding.severity != Severity::error) {
      log::warn("{}", finding.print());
      continue;
    }
    log::error("{}", finding.print());
    skipped_.push_back({.file = finding.file,
                        .line = static_cast<int>(finding.at.line),
                        .column = static_cast<int>(finding.at.column),
                        .text = finding.text});
  }
}

admin::Readiness GatewayRole::readiness() const {
  admin::Readiness out{.ready = !draining_, .flows_loaded = flows_->flows_loaded(), .files_skipped = skipped_};
  out.serving = std::ranges::any_of(workers(), &admin::WorkerView::alive);
  if (draining_) out.reasons.emplace_back("shutting down");
  if (!out.serving) out.reasons.emplace_back("no worker gives a sign of life");
  if (const std::string text = failsafe_.value("degraded", ""); !text.empty())
    out.degraded.push_back("nothing is captured: " + text);
  for (const admin::SkippedFile& file : skipped_) out.degraded.push_back("not in effect: " + file.file);
  return out;
}

std::vector<std::pair<std::string, uint64_t>> GatewayRole::direct_connections() const {
  std::vector<std::pair<std::string, uint64_t>> out;
  const json direct = failsafe_value("direct_connections", json::object());
  for (const auto& [reason, count] : direct.items()) out.emplace_back(reason, count.get<uint64_t>());
  return out;
}

// The first message must come at once: the supervisor has sent it before we ran.
Result<ChannelMessage> first_message(Channel& channel) {
  pollfd waiting{.fd = channel.fd(), .events = POLLIN, .revents = 0};
  const MonotonicTime end = monotonic_now() + kStartLimit;
  while (monotonic_now() < end && !channel.closed()) {
    poll(&waiting, 1, static_cast<int>(kStartLimit / 1ms));
    auto message = channel.receive();
    if (!message) return std::unexpected(message.error());
    if (*message) return std::move(**message);
  }
  return fail("no start message; --role=gateway is for lunard itself, not for the command line");
}

}  // namespace

int run_gateway() {
  prctl(PR_SET_NAME, "lunar-gateway");
  log::start("gateway", spdlog::level::info);
  Channel channel{Fd(GatewayProcess::channel_fd)};
  auto first = first_message(channel);
  auto loop = EventLoop::create();
  if (!first || !loop) return log::error("{}", first ? loop.error().text : first.error().text), 1;
  GatewayRole role(*loop, std::move(channel));
  if (auto started = role.start(std::move(*first)); !started) {
    std::string text = started.error().text;
    if (started.error().os_error != 0) text += fmt::format(": {}", strerror(started.error().os_error));
    role.tell({{"type", "fatal"}, {"text", text}});
    return 1;
  }
  return role.run();
}

}  // namespace lunar
