#include "agent/http/h2_fields.h"

#include <doctest/doctest.h>

#include "agent/http/h2_preface.h"
#include "agent/http/h2_websocket.h"

using namespace lunar::http;

namespace {

using Kind = BodyFraming::Kind;
using Tunnel = H2Exchange::Tunnel;
using Fields = std::vector<H2Field>;

const Fields get{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/x?y"}};

Fields operator+(Fields left, const Fields& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Fields as(std::string_view method, Fields fields) {
  fields.front().value = method;
  return fields;
}

struct ToH1 {
  const char* fault = nullptr;
  H1Head head;
  H2Exchange exchange;
};

ToH1 request(const Fields& fields, bool ended, H2RequestRules rules = {.extended_connect = true}) {
  ToH1 out;
  out.fault = request_to_h1(fields, ended, rules, out.exchange, out.head);
  if (out.fault != nullptr) return out;
  RequestHead parsed;
  CHECK(parse_request_head(out.head.text, parsed) == ParseState::complete);
  CHECK(parsed.size == out.head.text.size());
  if (out.exchange.tunnel == Tunnel::none && parsed.framing.kind != Kind::none)
    CHECK(parsed.framing == out.head.framing);
  return out;
}

ToH1 response(const Fields& fields, bool ended, const H2Exchange& exchange = {}) {
  ToH1 out;
  out.fault = response_to_h1(fields, ended, exchange, out.head);
  if (out.fault != nullptr) return out;
  ResponseHead parsed;
  RequestContext context{.head = exchange.head, .connect = exchange.tunnel == Tunnel::connect};
  CHECK(parse_response_head(out.head.text, context, parsed) == ParseState::complete);
  CHECK(parsed.size == out.head.text.size());
  CHECK(parsed.interim() == out.head.interim);
  return out;
}

struct ToH2 {
  const char* fault = nullptr;
  std::string fields;  // name, `=`, value and `;` of each
  BodyFraming framing;
  H2Exchange exchange;
};

std::string print(H2FieldBlock& block) {
  std::string out;
  for (const H2Field& field : block.fields()) out.append(field.name).append("=").append(field.value).append(";");
  return out;
}

ToH2 from_request(std::string_view text, H2PeerRules rules = {"https", true}) {
  RequestHead head;
  REQUIRE(parse_request_head(text, head) == ParseState::complete);
  ToH2 out;
  H2FieldBlock block;
  out.fault = request_to_h2(head, rules, out.exchange, block, out.framing);
  out.fields = print(block);
  return out;
}

ToH2 from_response(std::string_view text, const H2Exchange& exchange = {}) {
  ResponseHead head;
  RequestContext context{.head = exchange.head, .connect = exchange.tunnel == Tunnel::connect};
  REQUIRE(parse_response_head(text, context, head) == ParseState::complete);
  ToH2 out;
  H2FieldBlock block;
  out.fault = response_to_h2(head, exchange, block, out.framing);
  out.fields = print(block);
  return out;
}

}  // namespace

TEST_CASE("h2 fields: a request without a body becomes one head, in order") {
  ToH1 out = request(get + Fields{{"b", "1"}, {"a", "2"}, {"b", "3"}}, true);
  CHECK(out.fault == nullptr);
  CHECK(out.head.text == "GET /x?y HTTP/1.1\r\nhost: a.example\r\nb: 1\r\na: 2\r\nb: 3\r\n\r\n");
  CHECK(out.head.framing == BodyFraming{});
}

TEST_CASE("h2 fields: a body is chunked, unless its length is given") {
  CHECK(request(as("POST", get), false).head.framing == BodyFraming{Kind::chunked, 0});
  ToH1 out = request(as("POST", get) + Fields{{"content-length", "7"}}, false);
  CHECK(out.head.framing == BodyFraming{Kind::content_length, 7});
  CHECK(out.head.text.find("transfer-encoding") == std::string::npos);
}

TEST_CASE("h2 fields: methods that have a body say that there is none") {
  for (std::string_view method : {"POST", "PUT", "PATCH"})
    CHECK(request(as(method, get), true).head.text.ends_with("Content-length: 0\r\n\r\n"));
  for (std::string_view method : {"GET", "DELETE", "HEAD"})
    CHECK(request(as(method, get), true).head.text.find("content-length") == std::string::npos);
  ToH1 out = request(as("POST", get) + Fields{{"content-length", "0"}}, true);
  CHECK(out.head.text.ends_with("host: a.example\r\ncontent-length: 0\r\n\r\n"));
}

TEST_CASE("h2 fields: equal lengths become one") {
  ToH1 out = request(as("PUT", get) + Fields{{"content-length", "7"}, {"a", "b"}, {"content-length", "7"}}, false);
  CHECK(out.head.text == "PUT /x?y HTTP/1.1\r\nhost: a.example\r\ncontent-length: 7\r\na: b\r\n\r\n");
}

TEST_CASE("h2 fields: host and :authority agree by the scheme's port") {
  CHECK(request(get + Fields{{"host", "A.EXAMPLE:443"}}, true).fault == nullptr);
  CHECK(request(get + Fields{{"host", "a.example:80"}}, true).fault != nullptr);
  Fields clear = get;
  clear[1].value = "http";
  CHECK(request(clear + Fields{{"host", "a.example:80"}}, true).fault == nullptr);
  CHECK(request(clear + Fields{{"host", "a.example:443"}}, true).fault != nullptr);
  Fields ftp = get;
  ftp[1].value = "ftp";
  CHECK(request(ftp, true).fault == std::string_view(":scheme is neither http nor https"));
}

TEST_CASE("h2 fields: an extended CONNECT becomes an upgrade, with a key where it is a WebSocket") {
  Fields websocket =
      as("CONNECT", get) + Fields{{":protocol", "websocket"}, {"sec-websocket-key", "mine"}, {"te", "trailers"}};
  ToH1 out = request(websocket, false, {.extended_connect = true, .websocket_nonce = 7});
  CHECK(out.fault == nullptr);
  CHECK(out.head.text ==
        "GET /x?y HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade, te\r\nupgrade: websocket\r\n"
        "sec-websocket-key: " +
            websocket_key(7) + "\r\nte: trailers\r\n\r\n");
  CHECK(out.head.framing == BodyFraming{Kind::until_close, 0});
  CHECK(request(websocket, false, {}).fault == std::string_view("extended CONNECT was not offered"));

  out = request(as("CONNECT", get) + Fields{{":protocol", "connect-udp"}}, false);
  CHECK(out.head.text.find("upgrade: connect-udp\r\n") != std::string::npos);
  CHECK(out.head.text.find("sec-websocket-key") == std::string::npos);
}

TEST_CASE("h2 fields: a response that accepts a tunnel") {
  H2Exchange exchange{.tunnel = Tunnel::extended, .protocol = "websocket", .websocket_key = "dGhlIHNhbXBsZSBub25jZQ=="};
  ToH1 out = response({{":status", "200"}, {"a", "b"}}, false, exchange);
  CHECK(out.head.text ==
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\na: b\r\n\r\n");
  CHECK(out.head.framing == BodyFraming{Kind::until_close, 0});
  out = response({{":status", "403"}}, false, exchange);
  CHECK(out.head.text.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(out.head.framing == BodyFraming{Kind::chunked, 0});

  out = response({{":status", "200"}, {"content-length", "5"}}, false, {.tunnel = Tunnel::connect});
  CHECK(out.head.text == "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_CASE("h2 fields: a length that HTTP/2 did not say is left out towards HTTP/2 again, one that it said is not") {
  const Fields length{{"content-length", "0"}}, status{{":status", "200"}};
  CHECK(from_response(response(status, true).head.text).fields == ":status=200;");
  CHECK(from_response(response(status + length, true).head.text).fields == ":status=200;content-length=0;");
  CHECK_FALSE(from_request(request(as("POST", get), true).head.text).fields.contains("content-length"));
  CHECK(from_request(request(as("POST", get) + length, true).head.text).fields.ends_with("content-length=0;"));
}

TEST_CASE("h2 fields: gRPC loses a length, so that there is room for its trailers") {
  const Fields length{{"content-length", "5"}}, grpc{{"content-type", "application/grpc+proto"}},
      status{{":status", "200"}};
  CHECK(response(status + grpc + length, false).head.framing.kind == Kind::chunked);
  CHECK_FALSE(response(status + grpc + length, false).head.text.contains("content-length"));
  CHECK(request(as("POST", get) + length + grpc, false).head.framing.kind == Kind::chunked);
  CHECK_FALSE(request(as("POST", get) + length + grpc, false).head.text.contains("content-length"));
  CHECK(response(status + length, false).head.framing.kind == Kind::content_length);
  H2Exchange head;
  head.head = true;
  CHECK(response(status + grpc + length, true, head).head.text.contains("content-length: 5"));
}

TEST_CASE("h2 fields: which responses have a body") {
  CHECK(response({{":status", "200"}}, false).head.framing == BodyFraming{Kind::chunked, 0});
  CHECK(response({{":status", "200"}, {"content-length", "3"}}, false).head.framing ==
        BodyFraming{Kind::content_length, 3});
  CHECK(response({{":status", "200"}}, true).head.text == "HTTP/1.1 200 OK\r\nContent-length: 0\r\n\r\n");
  CHECK(response({{":status", "204"}}, true).head.text == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(response({{":status", "304"}, {"content-length", "3"}}, true).fault == nullptr);
  CHECK(response({{":status", "200"}, {"content-length", "3"}}, true, {.head = true}).fault == nullptr);
  CHECK(response({{":status", "200"}}, true, {.head = true}).head.text == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(response({{":status", "103"}, {"link", "x"}}, false).head.interim);
}

TEST_CASE("h2 fields: whoever does not know chunks gets the bytes as they are") {
  ToH1 out = response({{":status", "200"}}, false, {.http10 = true});
  CHECK(out.head.framing == BodyFraming{Kind::until_close, 0});
  CHECK(out.head.text == "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_CASE("h2 fields: trailers leave out what frames or routes a message") {
  std::string text;
  CHECK(trailers_to_h1(Fields{{"a", "b"}, {"content-length", "5"}, {"host", "x"}, {"c", ""}}, text) == nullptr);
  CHECK(text == "a: b\r\nc: \r\n");
  CHECK(trailers_to_h1(Fields{{"te", "trailers"}}, text) != nullptr);

  H2FieldBlock block;
  CHECK(trailers_to_h2("A:  b \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nc:\r\n", block) == nullptr);
  CHECK(print(block) == "a=b;c=;");
}

TEST_CASE("h2 fields: a request of HTTP/1.1 loses what concerns its connection, and its Host") {
  ToH2 out = from_request(
      "POST /x HTTP/1.1\r\nX-First: 1\r\nHost: a.example\r\nConnection: close, X-Mine\r\nX-Mine: 2\r\nKeep-Alive: 5\r\n"
      "TE: gzip, trailers\r\nProxy-Connection: close\r\nTransfer-Encoding: chunked\r\nProxy-Authorization: c\r\n\r\n");
  CHECK(out.fault == nullptr);
  CHECK(out.fields ==
        ":method=POST;:scheme=https;:authority=a.example;:path=/x;x-first=1;te=trailers;"
        "proxy-authorization=c;");
  CHECK(out.framing == BodyFraming{Kind::chunked, 0});
}

TEST_CASE("h2 fields: forms of a target") {
  CHECK(from_request("GET http://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n").fields ==
        ":method=GET;:scheme=http;:authority=b.example;:path=/?q;");
  CHECK(from_request("GET https://b.example HTTP/1.1\r\nHost: a\r\n\r\n").fields ==
        ":method=GET;:scheme=https;:authority=b.example;:path=/;");
  CHECK(from_request("OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\n\r\n").fields ==
        ":method=OPTIONS;:scheme=http;:authority=b.example;:path=*;");
  CHECK(from_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").fields ==
        ":method=OPTIONS;:scheme=https;:authority=a;:path=*;");
  CHECK(from_request("GET /?u=http://b HTTP/1.1\r\nHost: a\r\n\r\n").fields ==
        ":method=GET;:scheme=https;:authority=a;:path=/?u=http://b;");
  CHECK(from_request("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n").fields == ":method=CONNECT;:authority=a:443;");
  CHECK(from_request("GET * HTTP/1.1\r\nHost: a\r\n\r\n").fault != nullptr);
  CHECK(from_request("GET a HTTP/1.1\r\nHost: a\r\n\r\n").fault != nullptr);
  CHECK(from_request("GET / HTTP/1.0\r\n\r\n").fault == std::string_view("no host"));
}

TEST_CASE("h2 fields: lengths towards HTTP/2 are one number") {
  CHECK(from_request("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n").fields ==
        ":method=PUT;:scheme=https;:authority=a;:path=/;content-length=5;");
  CHECK(from_response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", {.head = true}).fields ==
        ":status=200;content-length=9;");
  CHECK(from_request("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n").fault ==
        std::string_view("transfer coding other than chunked"));
}

TEST_CASE("h2 fields: an upgrade to WebSocket becomes an extended CONNECT, other upgrades are left out") {
  constexpr std::string_view websocket =
      "GET /w HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n"
      "Sec-WebSocket-Version: 13\r\n\r\n";
  ToH2 out = from_request(websocket);
  CHECK(out.fields ==
        ":method=CONNECT;:protocol=websocket;:scheme=https;:authority=a;:path=/w;sec-websocket-version=13;");
  CHECK(out.exchange.websocket_key == "k");
  CHECK(out.framing == BodyFraming{Kind::until_close, 0});
  CHECK(from_request(websocket, {"https", false}).fault != nullptr);

  out = from_request(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABk\r\n\r\n");
  CHECK(out.fields == ":method=GET;:scheme=https;:authority=a;:path=/;");
  CHECK(out.framing == BodyFraming{});
}

TEST_CASE("h2 fields: an accepted WebSocket proves that it has seen the key") {
  H2Exchange exchange{.tunnel = Tunnel::extended, .protocol = "websocket", .websocket_key = "dGhlIHNhbXBsZSBub25jZQ=="};
  ToH2 out = from_response(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX: y\r\n\r\n",
      exchange);
  CHECK(out.fault == nullptr);
  CHECK(out.fields == ":status=200;x=y;");
  CHECK(from_response("HTTP/1.1 101 S\r\nSec-WebSocket-Accept: wrong\r\n\r\n", exchange).fault != nullptr);
  CHECK(from_response("HTTP/1.1 101 S\r\n\r\n", exchange).fault != nullptr);
  CHECK(from_response("HTTP/1.1 101 S\r\n\r\n").fault == std::string_view("101 without an extended CONNECT"));
  CHECK(from_response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", exchange).fault != nullptr);
  CHECK(from_response("HTTP/1.1 426 X\r\nContent-Length: 0\r\n\r\n", exchange).fields ==
        ":status=426;content-length=0;");
}

TEST_CASE("h2 fields: a response of HTTP/1.1 loses what concerns its connection") {
  ToH2 out = from_response(
      "HTTP/1.1 200 Fine\r\nDate: now\r\nConnection: close\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
      "Keep-Alive: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(out.fields == ":status=200;date=now;set-cookie=a;set-cookie=b;");
  CHECK(out.framing == BodyFraming{Kind::chunked, 0});
  CHECK(from_response("HTTP/1.0 200 OK\r\n\r\n").framing == BodyFraming{Kind::until_close, 0});
  CHECK(from_response("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n").fields == ":status=103;link=x;");
}

TEST_CASE("h2 websocket: keys are 16 bytes in base64, and differ") {
  CHECK(websocket_key(1).size() == 24);
  CHECK(websocket_key(1).ends_with("=="));
  CHECK(websocket_key(1) != websocket_key(2));
  CHECK(websocket_key(1) == websocket_key(1));
}

TEST_CASE("h2 preface: complete, incomplete, or something else") {
  for (size_t size = 0; size < h2_preface.size(); ++size)
    CHECK(find_h2_preface(h2_preface.substr(0, size)) == Preface::incomplete);
  CHECK(find_h2_preface(h2_preface) == Preface::complete);
  CHECK(find_h2_preface(std::string(h2_preface) + "more") == Preface::complete);
  for (std::string_view other : {"G", "PRI * HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", "pri"})
    CHECK(find_h2_preface(other) == Preface::no);
}

TEST_CASE("h2 field block: fields outlive each other's growth") {
  H2FieldBlock block;
  for (int i = 0; i < 200; ++i) block.add_in_lower_case("X-" + std::to_string(i), std::string(100, 'A'));
  auto fields = block.fields();
  REQUIRE(fields.size() == 200);
  CHECK(fields[0] == H2Field{"x-0", std::string(100, 'A')});
  CHECK(fields[199].name == "x-199");
  block.clear();
  CHECK(block.fields().empty());
}
