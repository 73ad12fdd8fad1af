// One request and its response, for tests of what expressions see of them.
#pragma once

#include "flowengine/expr/view.h"

namespace lunar {

struct SampleCall {
  Request request;
  Response response;
  Caller caller{.pid = 42, .uid = 1000, .comm = "curl", .exe = "/usr/bin/curl", .unit = "nightly-report.service"};
  PathParams params{{"order", "17"}};

  SampleCall() {
    request.id = "r-1";
    request.sequence_id = "s-1";
    request.method = "POST";
    request.scheme = Scheme::https;
    request.host = "api.example.com";
    request.port = 8443;
    request.path = "/v1//orders/17";
    request.query = "page=2&tag=a&tag=b%20c";
    request.fields = {{"X-Team", "blue"}, {"Accept", "a"}, {"accept", "b"}};
    request.body = R"({"model":"large-1","n":3,"price":2.0,"deep":{"list":[1,{"model":"inner"}]}})";
    request.size = 77;
    request.time = WallTime(std::chrono::milliseconds(1'700'000'000'123));
    request.caller = &caller;
    response.status = 503;
    response.fields = {{"X-Cache", "stale"}, {"x-cache", "other"}};
    response.body = R"({"error":{"code":"busy"}})";
    response.time = WallTime(std::chrono::milliseconds(1'700'000'001'000));
    response.usage = TokenUsage{10, 5, std::nullopt};
  }
};

}  // namespace lunar
