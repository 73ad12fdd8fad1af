#include "agent/http/head.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace lunar::http;

namespace {

// The verdict on a heap copy of exactly this size, so that a sanitizer sees any look behind it.
template <class Parse>
auto exactly(std::string_view text, Parse parse) {
  auto copy = std::make_unique<char[]>(text.size() + 1);
  text.copy(copy.get(), text.size());
  return parse(std::string_view(copy.get(), text.size()));
}

ParseState request_state(std::string_view text, std::string* fault = nullptr) {
  return exactly(text, [&](std::string_view bytes) {
    RequestHead head;
    ParseState state = parse_request_head(bytes, head);
    if (fault != nullptr) *fault = head.fault == nullptr ? "" : head.fault;
    return state;
  });
}

ParseState response_state(std::string_view text, std::string* fault = nullptr) {
  return exactly(text, [&](std::string_view bytes) {
    ResponseHead head;
    ParseState state = parse_response_head(bytes, {}, head);
    if (fault != nullptr) *fault = head.fault == nullptr ? "" : head.fault;
    return state;
  });
}

// Every prefix is incomplete, until one has the verdict that the whole has.
template <class State>
void check_every_prefix(std::string_view text, State state_of) {
  ParseState whole = state_of(text, nullptr);
  bool decided = false;
  for (size_t size = 0; size <= text.size(); ++size) {
    ParseState state = state_of(text.substr(0, size), nullptr);
    CAPTURE(size);
    if (decided || state != ParseState::incomplete) {
      CHECK(state == whole);
      decided = true;
    }
  }
}

struct Refused {
  const char* fault;
  std::string_view text;
};

using namespace std::string_literals;
using namespace std::string_view_literals;

const Refused refused_requests[] = {
    {"line ends with a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {"line ends with a bare LF", "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {"line ends with a bare LF", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {"bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n"},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\r\n\rX"},
    {"folded field line", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"},
    {"folded field line", "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n"},
    {"folded field line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"whitespace before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {"whitespace before the colon", "GET / HTTP/1.1\r\nContent-Length\t: 3\r\n\r\n"},
    {"empty field name", "GET / HTTP/1.1\r\n: a\r\n\r\n"},
    {"invalid byte in a field name", "GET / HTTP/1.1\r\nHo\x80st: a\r\n\r\n"},
    {"invalid byte in a field name", "GET / HTTP/1.1\r\nHost\r\n\r\n"},
    {"invalid byte in a field name", "GET / HTTP/1.1\r\n(x): a\r\n\r\n"},
    {"control character", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"sv},
    {"control character", "GET / HTTP/1.1\r\nX: 0123456789abcdef\x7f\r\n\r\n"},
    {"control character", "GET / HTTP/1.1\r\nX: \x01\r\n\r\n"},
    {"control character", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {"method is not a token followed by one space", " GET / HTTP/1.1\r\n\r\n"},
    {"method is not a token followed by one space", "GET\t/ HTTP/1.1\r\n\r\n"},
    {"method is not a token followed by one space", "\x16\x03\x01\x02"},
    {"method is not a token followed by one space", "G\xc3\x84T / HTTP/1.1\r\n\r\n"},
    {"request target is not followed by one space", "GET  / HTTP/1.1\r\n\r\n"},
    {"request target is not followed by one space", "GET /\r\n\r\n"},
    {"request target is not followed by one space", "GET /a\tb HTTP/1.1\r\n\r\n"},
    {"not HTTP/1", "GET / x HTTP/1.1\r\n\r\n"},
    {"not HTTP/1", "GET /  HTTP/1.1\r\n\r\n"},
    {"not HTTP/1", "GET / HTTP/2.0\r\n\r\n"},
    {"not HTTP/1", "GET / http/1.1\r\n\r\n"},
    {"not HTTP/1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"version is neither HTTP/1.0 nor HTTP/1.1", "GET / HTTP/1.2\r\n\r\n"},
    {"control character", "GET / HTTP/1.11\r\n\r\n"},
};

const Refused refused_responses[] = {
    {"not HTTP/1", "ICY 200 OK\r\n\r\n"},
    {"not HTTP/1", "\r\nHTTP/1.1 200 OK\r\n\r\n"},
    {"not HTTP/1", "HTTP/2 200\r\n\r\n"},
    {"version is not followed by one space", "HTTP/1.1\r\n\r\n"},
    {"status is not three digits", "HTTP/1.1 20 OK\r\n\r\n"},
    {"status is not three digits", "HTTP/1.1 2000 OK\r\n\r\n"},
    {"status is not three digits", "HTTP/1.1  200 OK\r\n\r\n"},
    {"status below 100", "HTTP/1.1 099 OK\r\n\r\n"},
    {"bare CR", "HTTP/1.1 200 O\rK\r\n\r\n"},
    {"line ends with a bare LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n"},
    {"folded field line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"},
    {"control character", "HTTP/1.1 200 O\0K\r\n\r\n"sv},
};

const std::string_view usual_request =
    "POST /v1/chat?x=1 HTTP/1.1\r\nHost: api.example.com:8443\r\nX-Empty:\r\nX-Padded: \t two  words \t \r\n"
    "x-lunar-consumer-tag: a\r\nContent-Length: 5\r\n\r\n";

}  // namespace

TEST_CASE("head parser: gives a request as views into its bytes") {
  RequestHead head;
  std::string text = std::string(usual_request) + "hello";
  REQUIRE(parse_request_head(text, head) == ParseState::complete);
  CHECK(head.method == "POST");
  CHECK(head.target == "/v1/chat?x=1");
  CHECK(head.minor_version == 1);
  CHECK(head.host == "api.example.com:8443");
  CHECK(head.size == usual_request.size());
  CHECK(head.framing == BodyFraming{BodyFraming::Kind::content_length, 5});
  CHECK(head.keep_alive);
  CHECK(head.has_lunar);
  CHECK_FALSE(head.has_hop_by_hop);
  CHECK_FALSE(head.expect_continue);
  CHECK(head.fault == nullptr);
  REQUIRE(head.fields.size() == 5);
  CHECK(head.fields[1].name == "X-Empty");
  CHECK(head.fields[1].value.empty());
  CHECK(head.fields[2].value == "two  words");
  CHECK(head.fields[3].kind == FieldKind::lunar);
  CHECK(head.fields[0].name.data() == text.data() + text.find("Host"));
  CHECK(head.fields.find("content-length")->value == "5");
  CHECK(head.fields.find("absent") == nullptr);
}

TEST_CASE("head parser: gives a response as views into its bytes") {
  std::string_view text = "HTTP/1.0 404 Not \xc3\x84 Found\r\nServer: x\r\nContent-Length: 0\r\n\r\nHTTP/1.1";
  ResponseHead head;
  REQUIRE(parse_response_head(text, {}, head) == ParseState::complete);
  CHECK(head.status == 404);
  CHECK(head.reason == "Not \xc3\x84 Found");
  CHECK(head.minor_version == 0);
  CHECK(head.framing == BodyFraming{});
  CHECK_FALSE(head.keep_alive);
  CHECK(head.size == text.find("HTTP/1.1"));
}

TEST_CASE("head parser: accepts a status line without reason") {
  for (std::string_view text : {"HTTP/1.1 204\r\n\r\n", "HTTP/1.1 204 \r\n\r\n"}) {
    ResponseHead head;
    REQUIRE(parse_response_head(text, {}, head) == ParseState::complete);
    CHECK(head.status == 204);
    CHECK(head.reason.empty());
  }
}

TEST_CASE("head parser: accepts what is unusual but has one meaning") {
  for (std::string_view text : {
           "GET / HTTP/1.1\r\n\r\n",                                 // no Host
           "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",              // empty lines before
           "GET /\xc3\xa4?q=\xff HTTP/1.1\r\nHost: a\r\n\r\n",       // raw bytes in the target
           "GET / HTTP/1.1\r\nX: caf\xc3\xa9\ttab\r\n\r\n",          // raw bytes and a tab in a value
           "my!method / HTTP/1.0\r\n\r\n",                           // any token
           "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",                  //
           "GET http://a.example.com/ HTTP/1.1\r\nHost: a\r\n\r\n",  //
           "GET / HTTP/1.1\r\nA:b\r\nA:b\r\n\r\n",                   // repeated, no space
       }) {
    CAPTURE(text);
    std::string fault;
    CHECK(request_state(text, &fault) == ParseState::complete);
    CHECK(fault.empty());
    check_every_prefix(text, request_state);
  }
}

TEST_CASE("head parser: refuses what two implementations could read differently, and says why") {
  for (const Refused& refused : refused_requests) {
    CAPTURE(refused.text);
    std::string fault;
    CHECK(request_state(refused.text, &fault) == ParseState::malformed);
    CHECK(fault == refused.fault);
    check_every_prefix(refused.text, request_state);
  }
  for (const Refused& refused : refused_responses) {
    CAPTURE(refused.text);
    std::string fault;
    CHECK(response_state(refused.text, &fault) == ParseState::malformed);
    CHECK(fault == refused.fault);
    check_every_prefix(refused.text, response_state);
  }
}

TEST_CASE("head parser: is incomplete for every prefix of a good head, and never looks behind it") {
  for (size_t size = 0; size < usual_request.size(); ++size)
    CHECK(request_state(usual_request.substr(0, size)) == ParseState::incomplete);
  std::string followed = std::string(usual_request) + "\0\r\n \x01 anything"s;
  RequestHead head;
  CHECK(parse_request_head(followed, head) == ParseState::complete);
  CHECK(head.size == usual_request.size());
}

TEST_CASE("head parser: every byte that a value may not contain is found at every position") {
  for (size_t position = 0; position < 40; ++position) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string value(40, 'v');
      value[position] = static_cast<char>(byte);
      bool allowed = (byte >= 0x20 && byte != 0x7f) || byte == '\t';
      ParseState expected = allowed ? ParseState::complete : ParseState::malformed;
      if (request_state("GET / HTTP/1.1\r\nX: " + value + "\r\n\r\n") != expected) {
        CAPTURE(byte);
        CAPTURE(position);
        FAIL_CHECK("wrong verdict");
      }
    }
  }
}

TEST_CASE("head parser: a head of 64 KiB is accepted, one byte more is too large") {
  std::string start = "GET / HTTP/1.1\r\nX: ";
  std::string exact = start + std::string(max_head_size - start.size() - 4, 'v') + "\r\n\r\n";
  REQUIRE(exact.size() == max_head_size);
  CHECK(request_state(exact) == ParseState::complete);
  CHECK(request_state(exact + "body") == ParseState::complete);
  std::string longer = start + std::string(max_head_size - start.size() - 3, 'v') + "\r\n\r\n";
  std::string fault;
  CHECK(request_state(longer, &fault) == ParseState::too_large);
  CHECK(fault == "head above 64 KiB");
  CHECK(request_state(longer.substr(0, max_head_size)) == ParseState::too_large);
  CHECK(request_state(longer.substr(0, max_head_size - 1)) == ParseState::incomplete);
}

TEST_CASE("head parser: keeps more fields than fit inline, and forgets them for the next head") {
  std::string text = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 1000; ++i) text += "n" + std::to_string(i) + ": v" + std::to_string(i) + "\r\n";
  text += "\r\n";
  RequestHead head;
  for (int round = 0; round < 2; ++round) {
    REQUIRE(parse_request_head(text, head) == ParseState::complete);
    REQUIRE(head.fields.size() == 1000);
    CHECK(head.fields[63].name == "n63");
    CHECK(head.fields[64].value == "v64");
    CHECK(head.fields[999].value == "v999");
    REQUIRE(parse_request_head("GET / HTTP/1.1\r\nA: b\r\n\r\n", head) == ParseState::complete);
    CHECK(head.fields.size() == 1);
    CHECK(head.fields[0].value == "b");
  }
}

TEST_CASE("head parser: a used head carries nothing over to the next") {
  RequestHead head;
  REQUIRE(
      parse_request_head("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: x\r\nConnection: upgrade\r\n"
                         "Authorization: NTLM x\r\nx-lunar-host: b\r\nContent-Length: 3\r\n\r\n",
                         head) == ParseState::complete);
  REQUIRE(parse_request_head("GET / HTTP/1.0\r\n\r\n", head) == ParseState::complete);
  CHECK(head.host.empty());
  CHECK_FALSE(head.expect_continue);
  CHECK_FALSE(head.upgrade);
  CHECK_FALSE(head.has_lunar);
  CHECK_FALSE(head.has_hop_by_hop);
  CHECK_FALSE(head.connection_auth);
  CHECK(head.framing == BodyFraming{});
}

TEST_CASE("head parser: recognises the names that the gateway acts upon, in any case") {
  const std::pair<std::string_view, FieldKind> names[] = {
      {"Host", FieldKind::host},
      {"CONNECTION", FieldKind::connection},
      {"keep-alive", FieldKind::keep_alive},
      {"Proxy-Connection", FieldKind::proxy_connection},
      {"content-LENGTH", FieldKind::content_length},
      {"Transfer-Encoding", FieldKind::transfer_encoding},
      {"TE", FieldKind::te},
      {"Trailer", FieldKind::trailer},
      {"Expect", FieldKind::expect},
      {"Upgrade", FieldKind::upgrade},
      {"Authorization", FieldKind::authorization},
      {"WWW-Authenticate", FieldKind::www_authenticate},
      {"Proxy-Authenticate", FieldKind::proxy_authenticate},
      {"Proxy-Authorization", FieldKind::proxy_authorization},
      {"Proxy-Status", FieldKind::proxy_other},
      {"proxy-x", FieldKind::proxy_other},
      {"X-LUNAR-Host", FieldKind::lunar},
      {"x-lunar-y", FieldKind::lunar},
      {"x-lunar-", FieldKind::other},
      {"x-lunatic", FieldKind::other},
      {"proxy-", FieldKind::other},
      {"hos", FieldKind::other},
      {"hosts", FieldKind::other},
      {"", FieldKind::other},
      {"Content_Length", FieldKind::other},
  };
  for (auto [name, kind] : names) {
    CAPTURE(name);
    CHECK(field_kind(name) == kind);
  }
}

TEST_CASE("head end: is found at the first empty line, wherever the search resumes") {
  std::string text = std::string(usual_request) + "\r\n\r\n";
  for (size_t scanned = 0; scanned < usual_request.size(); ++scanned) {
    CHECK(find_head_end(text, scanned) == usual_request.size());
    CHECK(find_head_end(usual_request.substr(0, scanned), 0) == std::string_view::npos);
  }
  CHECK(find_head_end("\r\n\r\nGET / HTTP/1.1\r\n", 0) == std::string_view::npos);
  CHECK(find_head_end("\r\nGET / HTTP/1.1\r\n\r\n", 0) == 20);
}
