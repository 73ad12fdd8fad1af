#include "agent/gateway/routing.h"

#include <doctest/doctest.h>

using namespace lunar;
using namespace lunar::gateway;

namespace {

Route route(std::string_view text, RoutingMode mode = {}) {
  static http::RequestHead head;
  REQUIRE(http::parse_request_head(text, head) == http::ParseState::complete);
  return find_route(head, mode);
}

}  // namespace

TEST_CASE("routing: x-lunar-host decides, scheme and port default") {
  auto found = route("GET /a?b HTTP/1.1\r\nHost: lunard\r\nx-lunar-host: api.example.com\r\n\r\n");
  CHECK_FALSE(found.refused);
  CHECK(found.mode == EntryMode::header);
  CHECK(found.host == "api.example.com");
  CHECK(found.port == 80);
  CHECK(found.authority == "api.example.com");
  CHECK(found.target.empty());

  found = route("GET / HTTP/1.1\r\nX-Lunar-Host: api.example.com:8443\r\nX-LUNAR-SCHEME: HTTPS\r\n\r\n");
  CHECK(found.tls);
  CHECK(found.port == 8443);
  CHECK(found.authority == "api.example.com:8443");
  found = route("GET / HTTP/1.1\r\nx-lunar-host: api.example.com\r\nx-lunar-scheme: https\r\n\r\n");
  CHECK(found.port == 443);
}

TEST_CASE("routing: an absolute target becomes origin-form") {
  auto found = route("GET http://api.example.com:81/x?y=1 HTTP/1.1\r\nHost: ignored\r\n\r\n");
  CHECK(found.mode == EntryMode::forward);
  CHECK(found.host == "api.example.com");
  CHECK(found.port == 81);
  CHECK(found.target == "/x?y=1");
  CHECK(route("GET http://api.example.com HTTP/1.1\r\n\r\n").target == "/");
  CHECK(route("GET http://[2001:db8::1]:8080/ HTTP/1.1\r\n\r\n").host == "2001:db8::1");
}

TEST_CASE("routing: x-lunar-host goes before an absolute target, CONNECT before both") {
  CHECK(route("GET http://a.example.com/ HTTP/1.1\r\nx-lunar-host: b.example.com\r\n\r\n").host == "b.example.com");
  auto found = route("CONNECT c.example.com:443 HTTP/1.1\r\nx-lunar-host: b.example.com\r\n\r\n");
  CHECK(found.tunnel);
  CHECK(found.host == "c.example.com");
  CHECK(found.port == 443);
}

TEST_CASE("routing: missing or malformed input is error 1 and says which") {
  for (const char* text : {
           "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
           "GET / HTTP/1.1\r\nx-lunar-host: user@api.example.com\r\n\r\n",
           "GET / HTTP/1.1\r\nx-lunar-host: api.example.com:99999\r\n\r\n",
           "GET / HTTP/1.1\r\nx-lunar-host: a b\r\n\r\n",
           "GET / HTTP/1.1\r\nx-lunar-host: api.example.com\r\nx-lunar-scheme: ftp\r\n\r\n",
           "GET ftp://api.example.com/ HTTP/1.1\r\n\r\n",
           "CONNECT api.example.com HTTP/1.1\r\n\r\n",
           "CONNECT api.example.com:0x50 HTTP/1.1\r\n\r\n",
       }) {
    CAPTURE(text);
    auto found = route(text);
    CHECK(found.refused);
    CHECK(found.refusal == Refusal::routing);
    CHECK_FALSE(found.detail.empty());
  }
}

TEST_CASE("routing: query mode takes its parameters out of the target and leaves the others alone") {
  RoutingMode query{.query_mode = true};
  struct Case {
    const char* target;
    const char* forwarded;
  };
  for (Case each :
       {Case{"/a?lunar_original_host=api.example.com", "/a"},
        Case{"/a?x=1&lunar_original_host=api.example.com&y=2", "/a?x=1&y=2"},
        Case{"/a?lunar_original_host=api.example.com&y=2", "/a?y=2"},
        Case{"/a?x=1&lunar_original_host=api.example.com", "/a?x=1"},
        Case{"/a?lunar_original_scheme=http&lunar_original_host=api.example.com&lunar_consumer_tag=t&z", "/a?z"}}) {
    CAPTURE(each.target);
    auto found = route(std::string("GET ") + each.target + " HTTP/1.1\r\n\r\n", query);
    CHECK_FALSE(found.refused);
    CHECK(found.mode == EntryMode::query);
    CHECK(found.host == "api.example.com");
    CHECK(found.target == each.forwarded);
  }
  auto found = route("GET /?lunar_original_host=api.example.com%3A8080 HTTP/1.1\r\n\r\n", query);
  CHECK(found.host == "api.example.com");
  CHECK(found.port == 8080);
  CHECK(route("GET /a HTTP/1.1\r\nx-lunar-host: api.example.com\r\n\r\n", query).refused);
}

TEST_CASE("routing: the CONNECT port takes nothing else") {
  RoutingMode connect{.connect_only = true};
  CHECK_FALSE(route("CONNECT api.example.com:443 HTTP/1.1\r\n\r\n", connect).refused);
  CHECK(route("GET http://api.example.com/ HTTP/1.1\r\n\r\n", connect).refused);
}
