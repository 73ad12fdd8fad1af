#include "agent/admin/configuration_request.h"

#include <array>
#include <utility>

#include "agent/admin/wire.h"

namespace lunar::admin {
namespace {

std::string asker(const HttpRequest& request) {
  if (request.peer_pid == 0) return "a holder of the key, over TCP";
  return "uid " + std::to_string(request.peer_uid) + " (pid " + std::to_string(request.peer_pid) + ")";
}

ConfigurationAnswered answer_with(HttpReply reply) {
  return [reply = std::move(reply)](const ConfigurationAnswer& answer) mutable {
    reply.send(json_response(answer.body, answer.status));
  };
}

}  // namespace

std::string_view verb_name(ConfigurationRequest::Verb verb) {
  constexpr std::array<std::string_view, 4> names{"load", "check", "apply", "operate"};
  return names[static_cast<size_t>(verb)];
}

std::vector<Route> configuration_routes(const AskConfiguration& ask) {
  const auto asking = [&ask](ConfigurationRequest::Verb verb) -> HttpService {
    return [ask, verb](const HttpRequest& request, HttpReply reply) {
      ask({.verb = verb, .body = request.body, .asked_by = asker(request)}, answer_with(std::move(reply)));
    };
  };
  using Verb = ConfigurationRequest::Verb;
  return {{"POST", wire::route::kReload, asking(Verb::load)},
          {"POST", wire::route::kLoadFlows, asking(Verb::load)},
          {"POST", wire::route::kValidateFlows, asking(Verb::check)},
          {"PUT", wire::route::kApplyFlows, asking(Verb::apply)},
          {"POST", wire::route::kConfiguration, asking(Verb::operate)}};
}

ConfigurationAnswer configuration_failure(int status, std::string_view message, const Error& error) {
  return {.status = status, .body = {{wire::key::kMessage, message}, {wire::key::kError, error.text}}};
}

ConfigurationAnswer configuration_outcome(nlohmann::json outcome, int refused) {
  const bool accepted = outcome.value("accepted", false);
  outcome.erase("accepted");
  return {.status = accepted ? 200 : refused, .body = std::move(outcome)};
}

}  // namespace lunar::admin
