#include "agent/admin/routes.h"

#include <cerrno>
#include <iterator>
#include <utility>

namespace lunar::admin {
namespace {

int status_of(int os_error) {
  switch (os_error) {
    case 0:
    case EINVAL:
      return 400;
    case EPERM:
    case EACCES:
      return 403;
    case ENOENT:
      return 404;
    case EEXIST:
    case EBUSY:
      return 409;
    default:
      return 500;
  }
}

}  // namespace

void RouteTable::add(std::vector<Route> routes) {
  routes_.insert(routes_.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end()));
}

void RouteTable::serve(const HttpRequest& request, HttpReply reply) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (route.path != request.path) continue;
    if (route.method == request.method || route.method == "*") return route.serve(request, std::move(reply));
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allowed.empty()) return reply.send(error_response(404, "unknown route", "there is no " + request.path));
  HttpResponse response = error_response(405, "wrong method", request.path + " takes " + allowed);
  response.fields.emplace_back("Allow", allowed);
  reply.send(response);
}

HttpResponse json_response(const nlohmann::json& body, int status) {
  return {.status = status, .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

HttpResponse outcome_response(nlohmann::json outcome, int refused) {
  bool accepted = outcome.value("accepted", false);
  outcome.erase("accepted");
  return json_response(outcome, accepted ? 200 : refused);
}

HttpResponse failure_response(std::string_view message, const Error& error) {
  return error_response(status_of(error.os_error), message, error.text);
}

std::vector<Route> retired_routes() {
  std::vector<Route> routes;
  for (const char* path : {"/apply_policies", "/validate_policies", "/revert_to_diagnosis_free",
                           "/revert_to_last_loaded", "/remedy_stats"}) {
    routes.push_back({"*", path, [](const HttpRequest&, HttpReply reply) {
                        reply.send(error_response(410, "gone", "policies are not supported; use flows"));
                      }});
  }
  return routes;
}

HttpService json_service(std::function<Result<nlohmann::json>(const HttpRequest&)> answer) {
  return [answer = std::move(answer)](const HttpRequest& request, HttpReply reply) {
    const Result<nlohmann::json> result = answer(request);
    reply.send(result ? json_response(*result) : failure_response(request.path + " failed", result.error()));
  };
}

}  // namespace lunar::admin
