#include <doctest/doctest.h>

#include <string>

#include "agent/http/head.h"

using namespace lunar::http;

namespace {

using Kind = BodyFraming::Kind;

// A request or response with these field lines; `fault` is empty when it was accepted.
struct Parsed {
  BodyFraming framing;
  std::string fault;
  bool keep_alive, upgrade;
};

Parsed request(std::string_view fields, std::string_view start_line = "POST / HTTP/1.1") {
  std::string text = std::string(start_line) + "\r\n" + std::string(fields) + "\r\n";
  RequestHead head;
  ParseState state = parse_request_head(text, head);
  REQUIRE((state == ParseState::complete) == (head.fault == nullptr));
  return {head.framing, head.fault == nullptr ? "" : head.fault, head.keep_alive, head.upgrade};
}

Parsed response(std::string_view fields, std::string_view start_line = "HTTP/1.1 200 OK", RequestContext context = {}) {
  std::string text = std::string(start_line) + "\r\n" + std::string(fields) + "\r\n";
  ResponseHead head;
  ParseState state = parse_response_head(text, context, head);
  REQUIRE((state == ParseState::complete) == (head.fault == nullptr));
  return {head.framing, head.fault == nullptr ? "" : head.fault, head.keep_alive, head.upgrade};
}

}  // namespace

TEST_CASE("framing: a request has a body only where it says so") {
  CHECK(request("").framing == BodyFraming{});
  CHECK(request("Content-Length: 0\r\n").framing == BodyFraming{});
  CHECK(request("Content-Length: 7\r\n").framing == BodyFraming{Kind::content_length, 7});
  CHECK(request("Content-Length: 007\r\n").framing == BodyFraming{Kind::content_length, 7});
  CHECK(request("Content-Length: 7\r\ncontent-length: 7\r\n").framing == BodyFraming{Kind::content_length, 7});
  CHECK(request("Content-Length: 7, 7\r\n").framing == BodyFraming{Kind::content_length, 7});
  CHECK(request("Content-Length: 9223372036854775807\r\n").framing ==
        BodyFraming{Kind::content_length, 9223372036854775807});
  CHECK(request("Transfer-Encoding: chunked\r\n").framing == BodyFraming{Kind::chunked, 0});
  CHECK(request("Transfer-Encoding: CHUNKED\r\n").framing == BodyFraming{Kind::chunked, 0});
  CHECK(request("Transfer-Encoding: gzip, chunked\r\n").framing == BodyFraming{Kind::chunked, 0});
}

TEST_CASE("framing: ambiguous lengths are refused in requests and responses alike") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "both Content-Length and Transfer-Encoding"},
      {"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "both Content-Length and Transfer-Encoding"},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length values differ"},
      {"Content-Length: 5, 6\r\n", "Content-Length values differ"},
      {"Content-Length: 5,\r\n", "Content-Length is not a number"},
      {"Content-Length: ,5\r\n", "Content-Length is not a number"},
      {"Content-Length:\r\n", "Content-Length is not a number"},
      {"Content-Length: +5\r\n", "Content-Length is not a number"},
      {"Content-Length: -5\r\n", "Content-Length is not a number"},
      {"Content-Length: 0x5\r\n", "Content-Length is not a number"},
      {"Content-Length: 5 5\r\n", "Content-Length is not a number"},
      {"Content-Length: 5.0\r\n", "Content-Length is not a number"},
      {"Content-Length: 9223372036854775808\r\n", "Content-Length is not a number"},
      {"Content-Length: 18446744073709551617\r\n", "Content-Length is not a number"},
      {"Transfer-Encoding:\r\n", "empty Transfer-Encoding"},
      {"Transfer-Encoding: ,chunked\r\n", "empty Transfer-Encoding"},
      {"Transfer-Encoding: chunked,\r\n", "empty Transfer-Encoding"},
      {"Transfer-Encoding: xchunked\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: identity\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: \"chunked\"\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: chunked;q=1\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: chunked chunked\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: identity, chunked\r\n", "unknown transfer coding"},
      {"Transfer-Encoding: chunked, chunked\r\n", "chunked is not the last transfer coding"},
      {"Transfer-Encoding: chunked, gzip\r\n", "chunked is not the last transfer coding"},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "more than one Transfer-Encoding field"},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "more than one Transfer-Encoding field"},
  };
  for (auto [fields, fault] : cases) {
    CAPTURE(fields);
    CHECK(request(fields).fault == fault);
    CHECK(response(fields).fault == fault);
  }
}

TEST_CASE("framing: faults that only one side can make") {
  CHECK(request("Transfer-Encoding: gzip\r\n").fault == "Transfer-Encoding of a request does not end in chunked");
  CHECK(request("Host: a\r\nHost: a\r\n").fault == "more than one Host field");
  CHECK(request("Content-Length: 1\r\n", "CONNECT a:1 HTTP/1.1").fault == "CONNECT with a body");
  CHECK(request("Transfer-Encoding: chunked\r\n", "CONNECT a:1 HTTP/1.1").fault == "CONNECT with a body");
  CHECK(request("Content-Length: 0\r\n", "CONNECT a:1 HTTP/1.1").fault.empty());
  CHECK(request("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0").fault == "Transfer-Encoding in HTTP/1.0");
  CHECK(response("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK").fault == "Transfer-Encoding in HTTP/1.0");
  for (std::string_view line : {"HTTP/1.1 204 No Content", "HTTP/1.1 100 Continue", "HTTP/1.1 101 Switching"}) {
    std::string_view fault = "a body is announced with a status that has none";
    CHECK(response("Content-Length: 1\r\n", line).fault == fault);
    CHECK(response("Transfer-Encoding: chunked\r\n", line).fault == fault);
    CHECK(response("Content-Length: 0\r\n", line).fault.empty());
  }
}

TEST_CASE("framing: a response has a body by status, request and fields") {
  CHECK(response("Content-Length: 7\r\n").framing == BodyFraming{Kind::content_length, 7});
  CHECK(response("Content-Length: 0\r\n").framing == BodyFraming{});
  CHECK(response("Transfer-Encoding: chunked\r\n").framing == BodyFraming{Kind::chunked, 0});
  CHECK(response("").framing == BodyFraming{Kind::until_close, 0});
  CHECK(response("Transfer-Encoding: gzip\r\n").framing == BodyFraming{Kind::until_close, 0});
  CHECK(response("", "HTTP/1.1 204 No Content").framing == BodyFraming{});
  CHECK(response("", "HTTP/1.1 100 Continue").framing == BodyFraming{});
  CHECK(response("Content-Length: 7\r\n", "HTTP/1.1 304 Not Modified").framing == BodyFraming{});
  CHECK(response("Content-Length: 7\r\n", "HTTP/1.1 200 OK", {.head = true}).framing == BodyFraming{});
  CHECK(response("Transfer-Encoding: chunked\r\n", "HTTP/1.1 200 OK", {.head = true}).framing == BodyFraming{});
  CHECK(response("Content-Length: 7\r\n", "HTTP/1.1 200 OK", {.connect = true}).framing == BodyFraming{});
  CHECK(response("Content-Length: 7\r\n", "HTTP/1.1 407 No", {.connect = true}).framing ==
        BodyFraming{Kind::content_length, 7});
}

TEST_CASE("persistence: follows version, Connection and framing") {
  CHECK(request("").keep_alive);
  CHECK(request("Connection: Keep-Alive\r\n").keep_alive);
  CHECK_FALSE(request("Connection: close\r\n").keep_alive);
  CHECK_FALSE(request("Connection: keep-alive, x , CLOSE\r\n").keep_alive);
  CHECK_FALSE(request("Connection: keep-alive\r\nConnection: close\r\n").keep_alive);
  CHECK(request("Connection: closed\r\n").keep_alive);
  CHECK_FALSE(request("", "GET / HTTP/1.0").keep_alive);
  CHECK(request("Connection: keep-alive\r\n", "GET / HTTP/1.0").keep_alive);
  CHECK_FALSE(request("Connection: keep-alive, close\r\n", "GET / HTTP/1.0").keep_alive);
  CHECK_FALSE(response("").keep_alive);  // ends with the connection
  CHECK_FALSE(response("Connection: keep-alive\r\n").keep_alive);
  CHECK(response("Content-Length: 1\r\n").keep_alive);
  CHECK(response("Connection: keep-alive\r\nContent-Length: 1\r\n", "HTTP/1.0 200 OK").keep_alive);
  CHECK_FALSE(response("Content-Length: 1\r\n", "HTTP/1.0 200 OK").keep_alive);
  CHECK(response("", "HTTP/1.1 200 OK", {.head = true}).keep_alive);
}

TEST_CASE("upgrade: needs the option, the field and HTTP/1.1") {
  CHECK(request("Connection: Upgrade\r\nUpgrade: websocket\r\n").upgrade);
  CHECK(request("Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n").upgrade);
  CHECK_FALSE(request("Upgrade: websocket\r\n").upgrade);
  CHECK_FALSE(request("Connection: upgrade\r\n").upgrade);
  CHECK_FALSE(request("Connection: upgrade\r\nUpgrade: websocket\r\n", "GET / HTTP/1.0").upgrade);
  CHECK(response("Connection: upgrade\r\nUpgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols").upgrade);
  CHECK_FALSE(response("Connection: upgrade\r\nUpgrade: h2\r\nContent-Length: 1\r\n").upgrade);
}

TEST_CASE("expectation: 100-continue counts in HTTP/1.1 only") {
  for (auto [text, expected] : {std::pair("GET / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", true),
                                std::pair("GET / HTTP/1.1\r\nExpect: else\r\n\r\n", false),
                                std::pair("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false)}) {
    RequestHead head;
    REQUIRE(parse_request_head(text, head) == ParseState::complete);
    CHECK(head.expect_continue == expected);
  }
}

TEST_CASE("interim responses: are those below 200 that do not switch protocols") {
  for (auto [status, interim] :
       {std::pair(100, true), std::pair(101, false), std::pair(103, true), std::pair(200, false)}) {
    ResponseHead head;
    std::string text = "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n";
    REQUIRE(parse_response_head(text, {}, head) == ParseState::complete);
    CHECK(head.interim() == interim);
  }
}

TEST_CASE("connection authentication: NTLM and Negotiate tie a user to the connection") {
  const std::pair<std::string_view, bool> requests[] = {
      {"Authorization: NTLM TlRM\r\n", true},         {"Authorization: negotiate x\r\n", true},
      {"Proxy-Authorization: Negotiate x\r\n", true}, {"Authorization: Bearer ntlm\r\n", false},
      {"Authorization: Basic x\r\n", false},
  };
  for (auto [fields, expected] : requests) {
    RequestHead head;
    std::string text = "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
    REQUIRE(parse_request_head(text, head) == ParseState::complete);
    CHECK(head.connection_auth == expected);
  }
  for (auto [value, expected] : {std::pair("Negotiate", true), std::pair("Basic realm=\"x\", NTLM", true),
                                 std::pair("Basic realm=\"x\"", false)}) {
    ResponseHead head;
    std::string text = "HTTP/1.1 401 x\r\nContent-Length: 0\r\nWWW-Authenticate: " + std::string(value) + "\r\n\r\n";
    REQUIRE(parse_response_head(text, {}, head) == ParseState::complete);
    CHECK(head.connection_auth == expected);
  }
}

TEST_CASE("hop by hop: the fixed list, what Connection names, and never what frames the message") {
  RequestHead head;
  REQUIRE(parse_request_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-mine, Host, Content-Length\r\nX-Mine: 1\r\n"
                             "X-Other: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: u\r\nProxy-Connection: close\r\n"
                             "Proxy-Authorization: b\r\nProxy-Status: c\r\nContent-Length: 3\r\nTrailer: d\r\n\r\n",
                             head) == ParseState::complete);
  CHECK(head.has_hop_by_hop);
  for (auto [name, expected] :
       {std::pair("Host", false), std::pair("Connection", true), std::pair("X-Mine", true), std::pair("X-Other", false),
        std::pair("Keep-Alive", true), std::pair("TE", true), std::pair("Upgrade", true),
        std::pair("Proxy-Connection", true), std::pair("Proxy-Authorization", true), std::pair("Proxy-Status", false),
        std::pair("Content-Length", false), std::pair("Trailer", false)}) {
    CAPTURE(name);
    CHECK(is_hop_by_hop(*head.fields.find(std::string_view(name)), head) == expected);
  }
}
