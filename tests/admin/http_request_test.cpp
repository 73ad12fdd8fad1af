#include "agent/admin/http_request.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace lunar::admin;
using State = RequestReader::State;

namespace {

constexpr std::string_view kPut =
    "PUT /failsafe?dry=1 HTTP/1.1\r\nHost: lunard\r\nAuthorization: Bearer k\r\nContent-Length: 17\r\n\r\n"
    "{\"mode\":\"bypass\"}";

void check_put(RequestReader& reader) {
  REQUIRE(reader.state() == State::complete);
  const HttpRequest request = reader.take();
  CHECK(request.method == "PUT");
  CHECK(request.path == "/failsafe");
  CHECK(request.query == "dry=1");
  CHECK(request.authorization == "Bearer k");
  CHECK(request.body == "{\"mode\":\"bypass\"}");
  CHECK(request.keep_alive);
  CHECK_FALSE(request.http10);
}

int refusal_of(std::string_view bytes, size_t body_limit = RequestReader::kBodyLimit) {
  RequestReader reader(body_limit);
  reader.feed(bytes);
  return reader.state() == State::refused ? reader.refusal() : 0;
}

}  // namespace

TEST_CASE("request reader: reads a request whole, byte by byte and at every split") {
  RequestReader whole;
  CHECK(whole.feed(kPut) == kPut.size());
  check_put(whole);

  RequestReader bytewise;
  for (size_t i = 0; i < kPut.size(); ++i) {
    CHECK(bytewise.state() == State::incomplete);
    CHECK(bytewise.feed(kPut.substr(i, 1)) == 1);
  }
  check_put(bytewise);

  for (size_t split = 1; split < kPut.size(); ++split) {
    CAPTURE(split);
    RequestReader reader;
    CHECK(reader.feed(kPut.substr(0, split)) == split);
    CHECK(reader.state() == State::incomplete);
    CHECK(reader.feed(kPut.substr(split)) == kPut.size() - split);
    check_put(reader);
  }
}

TEST_CASE("request reader: leaves the bytes of the next request alone, at every split") {
  const std::string two = std::string(kPut) + "GET /status HTTP/1.0\r\n\r\n";
  for (size_t split = 0; split <= two.size(); ++split) {
    CAPTURE(split);
    RequestReader reader;
    std::string pending;
    int seen = 0;
    for (const std::string& part : {two.substr(0, split), two.substr(split)}) {
      pending += part;
      while (!pending.empty()) {
        pending.erase(0, reader.feed(pending));
        if (reader.state() != State::complete) break;
        const HttpRequest request = reader.take();
        CHECK(request.path == (seen == 0 ? "/failsafe" : "/status"));
        CHECK(request.http10 == (seen == 1));
        CHECK(request.keep_alive == (seen == 0));
        ++seen;
      }
    }
    CHECK(seen == 2);
    CHECK(pending.empty());
  }
}

TEST_CASE("request reader: knows the head before the body, and asks for the body once") {
  RequestReader reader;
  reader.feed("POST /attach HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n");
  CHECK(reader.head() == nullptr);
  reader.feed("\r\n");
  REQUIRE(reader.head() != nullptr);
  CHECK(reader.head()->path == "/attach");
  CHECK(reader.take_continue());
  CHECK_FALSE(reader.take_continue());
  reader.feed("{}");
  CHECK(reader.state() == State::complete);
}

TEST_CASE("request reader: skips empty lines before a request") {
  RequestReader reader;
  const std::string_view bytes = "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(reader.feed(bytes) == bytes.size());
  CHECK(reader.state() == State::complete);
}

TEST_CASE("request reader: refuses what it cannot serve, each with its status") {
  CHECK(refusal_of("GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n") == 400);
  CHECK(refusal_of("GET http://other/ HTTP/1.1\r\nHost: other\r\n\r\n") == 400);
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") == 411);
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777217\r\n\r\n") == 413);
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n") == 0);
  CHECK(refusal_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", 0) == 413);
  CHECK(refusal_of("GET / HTTP/1.1\r\nX: " + std::string(RequestReader::kHeadLimit, 'a')) == 431);
}

TEST_CASE("request reader: keeps no more of an endless head than its limit") {
  RequestReader reader;
  const std::string chunk(4096, 'a');
  size_t taken = 0;
  while (reader.state() == State::incomplete) taken += reader.feed(chunk);
  CHECK(reader.refusal() == 431);
  CHECK(taken == RequestReader::kHeadLimit + 1);
}

TEST_CASE("http request: decodes the parameters of a query") {
  HttpRequest request;
  request.query = "host=api.example.com&unit=a%2db+c&flag&broken=%zz%4&empty=";
  CHECK(request.parameter("host") == "api.example.com");
  CHECK(request.parameter("unit") == "a-b c");
  CHECK(request.parameter("flag").empty());
  CHECK(request.parameter("broken") == "%zz%4");
  CHECK(request.parameter("empty").empty());
  CHECK(request.parameter("absent").empty());
}
