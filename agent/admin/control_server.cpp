#include "agent/admin/control_server.h"

#include <charconv>
#include <utility>
#include <vector>

#include "agent/admin/control_request.h"
#include "agent/admin/doctor_report.h"
#include "agent/admin/forwarder.h"
#include "agent/admin/http_server.h"
#include "agent/admin/routes.h"
#include "agent/admin/wire.h"
#include "agent/base/log.h"

namespace lunar::admin {

using nlohmann::json;

struct ControlServer::State {
  State(EventLoop& loop, ControlHost& of, std::string gateway_socket)
      : host(of), gateway(loop, std::move(gateway_socket)), server(loop) {}

  void attach(const HttpRequest& request, HttpReply reply);
  void set_failsafe(const HttpRequest& request, HttpReply reply);
  void status(HttpReply reply);
  void doctor(const HttpRequest& request, HttpReply reply);
  [[nodiscard]] std::vector<Route> local_routes();
  [[nodiscard]] std::vector<Route> gateway_routes();

  ControlHost& host;
  RouteTable routes;
  Forwarder gateway;
  HttpServer server;
};

namespace {

// For verbs whose end comes later.
ControlHost::Done answer_with(HttpReply reply, const char* message) {
  return [reply = std::move(reply), message](Result<json> outcome) mutable {
    reply.send(outcome ? json_response(*outcome) : failure_response(message, outcome.error()));
  };
}

void note(const HttpRequest& request, const char* what, const std::string& subject, const Result<json>& outcome) {
  if (outcome) {
    log::info("{} {} by uid {} (pid {})", what, subject, request.peer_uid, request.peer_pid);
  } else {
    log::warn("{} {} by uid {} (pid {}) refused: {}", what, subject, request.peer_uid, request.peer_pid,
              outcome.error().text);
  }
}

}  // namespace

void ControlServer::State::attach(const HttpRequest& request, HttpReply reply) {
  const bool attaching = request.path == wire::route::kAttach;
  const Result<AttachRequest> wanted = attach_request_from(request.body);
  if (!wanted) return reply.send(failure_response("bad request", wanted.error()));
  const Result<json> outcome = attaching ? host.attach(*wanted) : host.detach(*wanted);
  const std::string subject = wanted->pid ? "pid " + std::to_string(*wanted->pid) : wanted->target;
  note(request, attaching ? "attach" : "detach", subject, outcome);
  answer_with(std::move(reply), attaching ? "cannot attach" : "cannot detach")(outcome);
}

void ControlServer::State::set_failsafe(const HttpRequest& request, HttpReply reply) {
  const Result<FailsafeMode> mode = failsafe_mode_from(request.body);
  if (!mode) return reply.send(failure_response("bad request", mode.error()));
  const Result<json> outcome = host.set_failsafe(*mode);
  note(request, "failsafe", *mode == FailsafeMode::bypass ? "bypass" : "resume", outcome);
  answer_with(std::move(reply), "cannot set the failsafe")(outcome);
}

void ControlServer::State::status(HttpReply reply) {
  gateway.ask(wire::route::kStatus, [this, reply = std::move(reply)](Result<json> answer) mutable {
    json whole = host.status();
    whole[wire::key::kAttachments] = host.attachments();
    whole[wire::key::kGateway] = answer ? std::move(*answer) : json{{wire::key::kError, answer.error().text}};
    reply.send(json_response(whole));
  });
}

namespace {

Result<std::optional<uint32_t>> pid_in(const HttpRequest& request) {
  const std::string pid_text = request.parameter("pid");
  if (pid_text.empty()) return std::nullopt;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(pid_text.data(), pid_text.data() + pid_text.size(), number);
  if (error != std::errc{} || end != pid_text.data() + pid_text.size()) return fail("`pid` must be a number");
  return number;
}

}  // namespace

// What is loaded is known by who has loaded it.
void ControlServer::State::doctor(const HttpRequest& request, HttpReply reply) {
  const auto pid = pid_in(request);
  Result<json> report = pid ? host.doctor(request.parameter("unit"), *pid) : std::unexpected(pid.error());
  if (!report) return reply.send(failure_response("/doctor failed", report.error()));
  report->update(doctor_frame(host.status()));
  gateway.ask(wire::route::kDoctor,
              [report = *std::move(report), reply = std::move(reply)](Result<json> answer) mutable {
                constexpr const char* loaded = "loaded_streams_config";
                if (answer && answer->contains(loaded)) report[loaded] = std::move((*answer)[loaded]);
                reply.send(json_response(report));
              });
}

std::vector<Route> ControlServer::State::local_routes() {
  const auto attaching = [this](const HttpRequest& request, HttpReply reply) { attach(request, std::move(reply)); };
  return {
      {"POST", wire::route::kAttach, attaching},
      {"POST", wire::route::kDetach, attaching},
      {"GET", wire::route::kAttachments, json_service([this](const HttpRequest&) -> Result<json> {
         return json{{wire::key::kAttachments, host.attachments()}};
       })},
      {"GET", wire::route::kStatus, [this](const HttpRequest&, HttpReply reply) { status(std::move(reply)); }},
      {"PUT", wire::route::kFailsafe,
       [this](const HttpRequest& request, HttpReply reply) { set_failsafe(request, std::move(reply)); }},
      {"POST", wire::route::kRestart,
       [this](const HttpRequest& request, HttpReply reply) {
         log::info("restart of the gateway asked for by uid {} (pid {})", request.peer_uid, request.peer_pid);
         host.restart_gateway(answer_with(std::move(reply), "the gateway was not replaced"));
       }},
      {"GET", wire::route::kDoctor,
       [this](const HttpRequest& request, HttpReply reply) { doctor(request, std::move(reply)); }},
  };
}

std::vector<Route> ControlServer::State::gateway_routes() {
  const auto forwarded = [this](const HttpRequest& request, HttpReply reply) {
    gateway.forward(request, std::move(reply));
  };
  return {{"GET", wire::route::kHandshake, forwarded},  {"GET", wire::route::kTop, forwarded},
          {"GET", wire::route::kFlows, forwarded},      {"GET", wire::route::kQuotas, forwarded},
          {"GET", wire::route::kTls, forwarded},        {"POST", wire::route::kExportersReload, forwarded},
          {"GET", wire::route::kDiscover, forwarded},   {"GET", wire::route::kTail, forwarded},
          {"GET", wire::route::kMetrics, forwarded},    {"POST", wire::route::kLogsFlush, forwarded},
          {"POST", wire::route::kLogsReopen, forwarded}};
}

Result<std::unique_ptr<ControlServer>> ControlServer::create(EventLoop& loop, Fd listener, ControlHost& host,
                                                             std::string gateway_socket) {
  auto state = std::make_unique<State>(loop, host, std::move(gateway_socket));
  state->routes.add(state->local_routes());
  state->routes.add(state->gateway_routes());
  state->routes.add(
      configuration_routes([&on = state->host](ConfigurationRequest asked, const ConfigurationAnswered& done) {
        on.configure(std::move(asked), done);
      }));
  state->routes.add(retired_routes());
  HttpListener rules;
  rules.service = [&routes = state->routes](const HttpRequest& request, HttpReply reply) {
    routes.serve(request, std::move(reply));
  };
  if (const Result<> served = state->server.serve(std::move(listener), std::move(rules)); !served) {
    return std::unexpected(served.error());
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ControlServer::~ControlServer() = default;

}  // namespace lunar::admin
