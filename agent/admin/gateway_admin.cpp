#include "agent/admin/gateway_admin.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "agent/admin/api_key.h"
#include "agent/admin/control_request.h"
#include "agent/admin/doctor_report.h"
#include "agent/admin/gateway_metrics.h"
#include "agent/admin/health.h"
#include "agent/admin/http_server.h"
#include "agent/admin/routes.h"
#include "agent/admin/transactions.h"
#include "agent/admin/wire.h"
#include "agent/base/log.h"

namespace lunar::admin {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto kDrainPeriod = 100ms;
constexpr auto kBusyDrainPeriod = 10ms;
constexpr auto kFlushPeriod = 1s;
constexpr size_t kDrainLimit = 4096;  // records of one ring a turn, so that health is answered in between
constexpr size_t kBusy = 256;         // records a turn from which on the next turn comes early
constexpr size_t kDefaultTail = 10;

LogTime wall_now() { return std::chrono::system_clock::now(); }

size_t number_or(const std::string& text, size_t otherwise) {
  size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

json describe(const WorkerView& worker, size_t index) {
  return {{"worker", index},
          {"alive", worker.alive},
          {"busy", worker.busy},
          {wire::key::kHeartbeatAge, worker.heartbeat_age_ms},
          {wire::key::kOpenConnections, worker.open_connections}};
}

}  // namespace

struct GatewayAdmin::State {
  State(EventLoop& on, GatewayAdminOptions with, GatewayView& of)
      : loop(on),
        options(std::move(with)),
        gateway(of),
        transactions(options.rings, options.access_log,
                     {options.version, options.request_id_prefix, options.program_of}),
        server(on) {
    transactions.metrics().observe_with([this](const CallView& call) { gateway.observe(call); });
  }

  Result<> start();
  void drain();
  void flush();
  void report(const Result<>& outcome);
  [[nodiscard]] json status() const;
  [[nodiscard]] Result<json> top(const HttpRequest& request);
  [[nodiscard]] Result<json> set_failsafe(const HttpRequest& request);
  [[nodiscard]] Result<json> logs(Result<> outcome, const char* message);
  void serve_page(HttpReply reply);
  void configure(const ConfigurationRequest& request, const ConfigurationAnswered& done);
  [[nodiscard]] json doctor() const;
  [[nodiscard]] std::vector<Route> control_routes();
  [[nodiscard]] Route metrics_route() {
    return {"GET", wire::route::kMetrics,
            [this](const HttpRequest&, HttpReply reply) { serve_page(std::move(reply)); }};
  }
  Result<> serve(Fd listener, std::vector<Route> routes, HttpListener rules);

  EventLoop& loop;
  GatewayAdminOptions options;
  GatewayView& gateway;
  Transactions transactions;
  HttpServer server;
  EventLoop::Source drain_timer;
  EventLoop::Source flush_timer;
  bool log_failing = false;
  std::shared_ptr<const MetricsSpec> metrics_spec;  // that the general metrics follow
};

Result<> GatewayAdmin::State::start() {
  drain_timer = loop.timer([this] { drain(); });
  flush_timer = loop.timer([this] { flush(); });
  if (!drain_timer || !flush_timer) return fail("cannot create the timers of the access log");
  drain_timer.fire_after(kDrainPeriod);
  flush_timer.fire_after(kFlushPeriod);
  return {};
}

void GatewayAdmin::State::drain() {
  if (auto spec = gateway.metrics_spec(); spec != metrics_spec) transactions.metrics().set_spec(metrics_spec = spec);
  drain_timer.fire_after(transactions.drain(kDrainLimit) >= kBusy ? kBusyDrainPeriod : kDrainPeriod);
}

void GatewayAdmin::State::flush() {
  flush_timer.fire_after(kFlushPeriod);
  report(transactions.log().flush(wall_now()));
}

// Once when it begins and once when it ends: a full disk lasts for hours.
void GatewayAdmin::State::report(const Result<>& outcome) {
  if (!outcome && !std::exchange(log_failing, true)) log::warn("{}", outcome.error().text);
  if (outcome && std::exchange(log_failing, false)) {
    log::info("the access log is written again; {} lines were lost in all", transactions.log().lost_total());
  }
}

json GatewayAdmin::State::status() const {
  const GatewayCounters counters = gateway.counters();
  json workers = json::array();
  for (const WorkerView& worker : gateway.workers()) workers.push_back(describe(worker, workers.size()));
  json opaque = json::object();
  for (size_t reason = 1; reason < kOpaqueReasons; ++reason) {
    if (counters.opaque[reason] != 0)
      opaque[std::string(name_of(static_cast<OpaqueReason>(reason)))] = counters.opaque[reason];
  }
  const Readiness readiness = gateway.readiness();
  return {{wire::key::kVersion, options.version},
          {wire::key::kInstance, options.instance_id},
          {wire::key::kFailsafe, gateway.failsafe().to_json()},
          {wire::key::kOpenConnections, counters.open_connections},
          {wire::key::kMaxConnections, counters.max_connections},
          {"accepted", counters.accepted},
          {wire::key::kRequests, counters.requests},
          {"opaque_connections", std::move(opaque)},
          {wire::key::kWorkers, std::move(workers)},
          {"serving", readiness.serving},
          {"ready", readiness.ready},
          {"degraded", readiness.degraded}};
}

Result<json> GatewayAdmin::State::top(const HttpRequest& request) {
  const std::string by = request.parameter("by");
  const auto group = top_group(by.empty() ? wire::kTopGroups[0] : std::string_view(by));
  if (!group) return fail("`by` is process, unit or host");
  transactions.drain(kDrainLimit);
  return transactions.top().rows(*group, monotonic_now());
}

Result<json> GatewayAdmin::State::set_failsafe(const HttpRequest& request) {
  const Result<FailsafeMode> mode = failsafe_mode_from(request.body);
  if (!mode) return std::unexpected(mode.error());
  const Result<> passed_on = gateway.request_failsafe(*mode);
  if (!passed_on) return std::unexpected(passed_on.error());
  return json{{wire::key::kMessage, *mode == FailsafeMode::bypass ? "bypass is asked for" : "bypass ends"}};
}

Result<json> GatewayAdmin::State::logs(Result<> outcome, const char* message) {
  report(outcome);
  if (!outcome) return std::unexpected(outcome.error());
  return json{{wire::key::kMessage, message}};
}

void GatewayAdmin::State::serve_page(HttpReply reply) {
  transactions.drain(kDrainLimit);
  reply.send({.content_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = write_metrics({options.instance_id, options.version, gateway, transactions.metrics(),
                                     transactions.log().lost_total()})});
}

void GatewayAdmin::State::configure(const ConfigurationRequest& request, const ConfigurationAnswered& done) {
  const auto asked = gateway.request_configuration(request, done);
  if (!asked) done(configuration_failure(503, "the supervisor does not answer", asked.error()));
}

json GatewayAdmin::State::doctor() const {
  json report = doctor_frame(status());
  report["loaded_streams_config"]["data"] = gateway.loaded_files();
  return report;
}

std::vector<Route> GatewayAdmin::State::control_routes() {
  return {
      {"GET", wire::route::kStatus, json_service([this](const HttpRequest&) -> Result<json> { return status(); })},
      {"GET", wire::route::kHandshake,
       json_service([this](const HttpRequest&) -> Result<json> { return json{{"managed", options.managed}}; })},
      {"PUT", wire::route::kFailsafe,
       json_service([this](const HttpRequest& request) { return set_failsafe(request); })},
      {"GET", wire::route::kDoctor, json_service([this](const HttpRequest&) -> Result<json> { return doctor(); })},
      {"GET", wire::route::kFlows,
       json_service([this](const HttpRequest&) -> Result<json> { return gateway.flows(); })},
      {"GET", wire::route::kQuotas,
       json_service([this](const HttpRequest&) -> Result<json> { return gateway.quotas(); })},
      {"GET", wire::route::kTls, json_service([this](const HttpRequest&) -> Result<json> { return gateway.tls(); })},
      {"GET", wire::route::kDiscover,
       [this](const HttpRequest&, HttpReply reply) {
         transactions.drain(kDrainLimit);
         reply.send({.content_type = "application/json", .body = gateway.discovery()});
       }},
      {"POST", wire::route::kExportersReload, json_service([this](const HttpRequest&) -> Result<json> {
         if (auto reopened = gateway.reopen_exporters(); !reopened) return std::unexpected(reopened.error());
         return json{{wire::key::kMessage, "the files of exporters are reopened"}};
       })},
      {"GET", wire::route::kTop, json_service([this](const HttpRequest& request) { return top(request); })},
      {"POST", wire::route::kLogsFlush, json_service([this](const HttpRequest&) {
         transactions.drain(kDrainLimit);
         if (auto flushed = gateway.flush_exporters(); !flushed) log::warn("{}", flushed.error().text);
         return logs(transactions.log().flush(wall_now()), "the access log is written");
       })},
      {"POST", wire::route::kLogsReopen, json_service([this](const HttpRequest&) {
         return logs(transactions.log().reopen(wall_now()), "the access log is reopened");
       })},
      {"GET", wire::route::kTail,
       [this](const HttpRequest& request, HttpReply reply) {
         transactions.drain(kDrainLimit);
         const TailFilter filter{request.parameter("host"), request.parameter("unit"), request.parameter("pid")};
         transactions.tail().serve(filter, number_or(request.parameter("n"), kDefaultTail),
                                   request.parameter("follow") == "1", std::move(reply));
       }},
  };
}

Result<> GatewayAdmin::State::serve(Fd listener, std::vector<Route> routes, HttpListener rules) {
  RouteTable table(std::move(routes));
  table.add(retired_routes());
  rules.service = [table = std::move(table)](const HttpRequest& request, HttpReply reply) {
    table.serve(request, std::move(reply));
  };
  return server.serve(std::move(listener), std::move(rules));
}

Result<std::unique_ptr<GatewayAdmin>> GatewayAdmin::create(EventLoop& loop, GatewayAdminOptions options,
                                                           GatewayView& gateway) {
  auto state = std::make_unique<State>(loop, std::move(options), gateway);
  if (const Result<> started = state->start(); !started) return std::unexpected(started.error());
  return std::unique_ptr<GatewayAdmin>(new GatewayAdmin(std::move(state)));
}

GatewayAdmin::GatewayAdmin(std::unique_ptr<State> state) : state_(std::move(state)) {}
GatewayAdmin::~GatewayAdmin() = default;

Result<> GatewayAdmin::serve_health(Fd listener) {
  HttpListener rules;
  rules.body_limit = 0;
  return state_->serve(std::move(listener),
                       health_routes(state_->gateway, {state_->options.version, state_->options.instance_id}),
                       std::move(rules));
}

Result<> GatewayAdmin::serve_metrics(Fd listener) {
  HttpListener rules;
  rules.body_limit = 0;
  return state_->serve(std::move(listener), {state_->metrics_route()}, std::move(rules));
}

Result<> GatewayAdmin::serve_admin(Fd listener) {
  HttpListener rules;
  rules.gate = require_key(state_->options.api_key);
  std::vector<Route> routes = state_->control_routes();
  for (Route& route : configuration_routes(
           [state = state_.get()](const ConfigurationRequest& request, const ConfigurationAnswered& done) {
             state->configure(request, done);
           }))
    routes.push_back(std::move(route));
  return state_->serve(std::move(listener), std::move(routes), std::move(rules));
}

Result<> GatewayAdmin::serve_internal(Fd listener) {
  std::vector<Route> routes = state_->control_routes();
  routes.push_back(state_->metrics_route());
  return state_->serve(std::move(listener), std::move(routes), {});
}

void GatewayAdmin::reopen_logs() { state_->report(state_->transactions.log().reopen(wall_now())); }

void GatewayAdmin::close_listeners() { state_->server.close_listeners(); }

void GatewayAdmin::finish() {
  state_->server.close_listeners();
  state_->transactions.tail().end_all();
  while (state_->transactions.drain(kDrainLimit) == kDrainLimit) {
  }
  state_->report(state_->transactions.log().flush(wall_now()));
}

}  // namespace lunar::admin
