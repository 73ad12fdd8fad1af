// Routes as a table: method and path to a function. What is not in it is answered here: 404, 405 with Allow.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/admin/http_server.h"

namespace lunar::admin {

struct Route {
  std::string_view method;  // "*": any
  std::string_view path;
  HttpService serve;
};

class RouteTable {
 public:
  RouteTable() = default;
  explicit RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

  void add(std::vector<Route> routes);
  void serve(const HttpRequest& request, HttpReply reply) const;

 private:
  std::vector<Route> routes_;
};

// Routes of policies, which are gone for good: 410.
[[nodiscard]] std::vector<Route> retired_routes();

// A route that answers at once with JSON, or with an error whose errno picks the status.
[[nodiscard]] HttpService json_service(std::function<Result<nlohmann::json>(const HttpRequest&)> answer);

// Of a reload or a check, {"accepted",..}: 200, or `refused`.
[[nodiscard]] HttpResponse outcome_response(nlohmann::json outcome, int refused);

[[nodiscard]] HttpResponse json_response(const nlohmann::json& body, int status = 200);
// ENOENT 404, EEXIST and EBUSY 409, EPERM and EACCES 403, EINVAL or none 400, else 500.
[[nodiscard]] HttpResponse failure_response(std::string_view message, const Error& error);

}  // namespace lunar::admin
