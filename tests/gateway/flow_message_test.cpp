#include "agent/gateway/flow_message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lunar::gateway {
namespace {

using namespace std::string_view_literals;

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

// 300 times `a`, in gzip.
constexpr std::string_view gzipped =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x4c\x1c\x05\xc4\x02\x00\x09\x19\x97\x89\x2c\x01\x00\x00"sv;

TEST_CASE("flow message: why a body is not seen is its size, be it of bytes or of text, or its coding") {
  struct Row {
    std::vector<std::string_view> codings;
    std::string_view bytes;
    size_t limit;
    std::string_view why;
    bool replayable;  // its bytes are there
  };
  const std::string plain(300, 'a');
  const Row rows[] = {
      {{}, plain, 300, "", true},
      {{}, plain, 299, "size", false},
      {{"identity"}, plain, 299, "size", false},
      {{"gzip"}, gzipped, 300, "", true},
      {{"gzip"}, gzipped, 299, "size", true},
      {{"gzip"}, gzipped, gzipped.size(), "size", true},
      {{"gzip"}, gzipped, gzipped.size() - 1, "size", false},
      {{"identity", "gzip"}, gzipped, 300, "", true},
      {{"identity", "gzip"}, gzipped, 299, "size", true},
      {{"gzip", "gzip"}, gzipped, 300, "coding", true},
      {{"gzip"}, gzipped.substr(1), 300, "coding", true},
      {{"gzip"}, gzipped.substr(0, 20), 300, "coding", true},
      {{"gzip"}, plain, 300, "coding", true},
      {{"rot13"}, plain, 300, "coding", true},
      {{"rot13"}, plain, 299, "size", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.codings.size());
    CAPTURE(row.bytes.size());
    CAPTURE(row.limit);
    lunar::Request request;
    for (std::string_view coding : row.codings) request.add_field("Content-Encoding", coding);
    set_body(request, {.kind = http::BodyFraming::Kind::content_length, .length = row.bytes.size()}, row.bytes,
             row.limit);
    CHECK(why_unseen(request) == row.why);
    CHECK(request.body.has_value() == row.why.empty());
    CHECK(request.wire_body.has_value() == row.replayable);
    CHECK(why_unseen(*clone(request)) == row.why);
  }
}

}  // namespace
}  // namespace lunar::gateway
