#include "agent/gateway/flow_message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace lunar::gateway {
namespace {

constexpr std::string_view sent =
    "POST /v1/chat?x=1&y=%20 HTTP/1.1\r\nHost: api.example.com\r\nX-oDD: Kept\r\nX-Twice: a\r\nx-twice: b\r\n"
    "x-lunar-consumer-tag: shop\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n";

void borrow(std::string_view bytes, http::RequestHead& head, lunar::Request& out) {
  REQUIRE(http::parse_request_head(bytes, head) == http::ParseState::complete);
  borrow_request(head, {.host = "api.example.com", .target = head.target, .port = 8080, .transparent = true}, out);
}

TEST_CASE("flow message: a request keeps method, target and every field as it was sent") {
  http::RequestHead head;
  lunar::Request request;
  borrow(sent, head, request);
  CHECK(request.method == "POST");
  CHECK(request.path == "/v1/chat");
  CHECK(request.query == "x=1&y=%20");
  CHECK(request.url() == "api.example.com:8080/v1/chat");
  CHECK(request.fields.size() == 7);
  CHECK(request.group_value("X-LUNAR-CONSUMER-TAG") == "shop");
}

TEST_CASE("flow message: an unchanged head is written without the fields of the gateway, in its order and case") {
  http::RequestHead head;
  lunar::Request request;
  borrow(sent, head, request);
  CHECK(write_request_head(request, 1, std::nullopt) ==
        "POST /v1/chat?x=1&y=%20 HTTP/1.1\r\nHost: api.example.com\r\nX-oDD: Kept\r\nX-Twice: a\r\nx-twice: b\r\n"
        "Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n");
}

TEST_CASE(
    "flow message: a field that is for later steps alone is not sent on, whatever its name and whoever sets it again") {
  http::RequestHead head;
  lunar::Request request;
  borrow(sent, head, request);
  request.set_internal_field("X-Odd", "5");
  request.set_internal_field("X-Tokens", "7");
  request.set_field("x-tokens", "8");
  CHECK(request.find("X-Tokens")->value == "8");
  CHECK(write_request_head(request, 1, std::nullopt) ==
        "POST /v1/chat?x=1&y=%20 HTTP/1.1\r\nHost: api.example.com\r\nX-Twice: a\r\nx-twice: b\r\n"
        "Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n");
}

TEST_CASE("flow message: in explicit modes target and Host are those that the client named, and not its own") {
  http::RequestHead head;
  REQUIRE(http::parse_request_head("GET http://a.example.com/v1?x=1 HTTP/1.1\r\nX-A: 1\r\nHost: proxy\r\n\r\n", head) ==
          http::ParseState::complete);
  lunar::Request request;
  const RequestFacts facts{.host = "a.example.com", .target = "/v1?x=1#part", .authority = "a.example.com"};
  borrow_request(head, facts, request);
  CHECK(request.url() == "a.example.com/v1");
  CHECK(request.query == "x=1");
  CHECK(write_request_head(request, 1, std::nullopt) ==
        "GET /v1?x=1 HTTP/1.1\r\nX-A: 1\r\nHost: a.example.com\r\n\r\n");
  REQUIRE(http::parse_request_head("GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", head) == http::ParseState::complete);
  borrow_request(head, facts, request);
  CHECK(write_request_head(request, 1, std::nullopt) ==
        "GET /v1?x=1 HTTP/1.1\r\nHost: a.example.com\r\nX-A: 1\r\n\r\n");
}

TEST_CASE("flow message: another body has its own length and no content coding") {
  http::RequestHead head;
  lunar::Request request;
  borrow(sent, head, request);
  const std::string out = write_request_head(request, 0, 17);
  CHECK(out.starts_with("POST /v1/chat?x=1&y=%20 HTTP/1.0\r\n"));
  CHECK(out.contains("\r\nContent-Length: 17\r\n"));
  CHECK_FALSE(out.contains("Content-Length: 5"));
  CHECK_FALSE(out.contains("gzip"));
}

TEST_CASE("flow message: a response is written with the provider's reason while its status is the provider's") {
  std::string bytes = "HTTP/1.1 299 Odd One\r\nX-A: 1\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n";
  http::ResponseHead head;
  REQUIRE(http::parse_response_head(bytes, {}, head) == http::ParseState::complete);
  const std::string copy = bytes, reason(head.reason);
  Response response;
  borrow_response(head, bytes, copy, response);
  std::ranges::fill(bytes, '-');  // nobody looks there any more
  CHECK(write_response_head(response, {.reason = reason}, std::nullopt) ==
        "HTTP/1.1 299 Odd One\r\nX-A: 1\r\nX-Empty: \r\nTransfer-Encoding: chunked\r\n\r\n");
  response.status = 404;
  CHECK(write_response_head(response, {.extra = "X-B: 2\r\n"}, 3) ==
        "HTTP/1.1 404 Not Found\r\nX-A: 1\r\nX-Empty: \r\nContent-Length: 3\r\nX-B: 2\r\n\r\n");
}

TEST_CASE("flow message: a whole body becomes payload, size and decoded view; above the limit only its size") {
  lunar::Request request;
  set_body(request, {.kind = http::BodyFraming::Kind::chunked}, "3\r\nabc\r\n0\r\n\r\n", 3);
  CHECK(request.size == 3);
  CHECK(request.body == "abc");
  CHECK(request.wire_body == "abc");
  lunar::Request larger;
  set_body(larger, {.kind = http::BodyFraming::Kind::content_length, .length = 4}, "abcd", 3);
  CHECK(larger.size == 4);
  CHECK(larger.body == std::nullopt);
  lunar::Request broken;
  broken.add_field("Content-Encoding", "gzip");
  set_body(broken, {.kind = http::BodyFraming::Kind::content_length, .length = 3}, "abc", 10);
  CHECK(broken.body == std::nullopt);
  CHECK(broken.wire_body == "abc");
}

}  // namespace
}  // namespace lunar::gateway
