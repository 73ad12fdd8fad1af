#include "agent/http/serializer.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace lunar::http;

namespace {

struct Request {
  std::string text;
  RequestHead parsed;
  explicit Request(std::string_view head) : text(head) {
    REQUIRE(parse_request_head(text, parsed) == ParseState::complete);
  }
};

std::string rewritten(std::string_view head, const RequestRewrite& rewrite) {
  Request request(head);
  std::string out(rewritten_size_limit(request.text, rewrite), '\0');
  out.resize(rewrite_request(request.text, request.parsed, rewrite, out));
  return out;
}

std::string rewritten_response(std::string_view head, std::string_view connection, std::string_view extra = {}) {
  ResponseHead parsed;
  REQUIRE(parse_response_head(head, {}, parsed) == ParseState::complete);
  std::string out(head.size() + extra.size() + 64, '\0');
  out.resize(rewrite_response(head, parsed, connection, out, extra));
  return out;
}

bool is_lunar(const Field& field) { return field.kind == FieldKind::lunar; }

std::string without_lunar(std::string_view head, std::string_view extra = {}) {
  Request request(head);
  std::string out(request.text.size() + extra.size(), '\0');
  out.resize(copy_without(request.text, request.parsed.fields, is_lunar, out, extra));
  return out;
}

}  // namespace

TEST_CASE("copy without: leaves every other byte as it was") {
  std::string_view plain = "GET /a HTTP/1.1\r\nhOST:a\r\nX-Pad:  two \t\r\nEmpty:\r\n\r\n";
  CHECK(without_lunar(plain) == plain);
  CHECK(without_lunar("GET /a HTTP/1.1\r\nx-lunar-host: b\r\nhOST:a\r\nX-Lunar-Allow:false\r\nX-Pad:  two \t\r\n"
                      "Empty:\r\nX-LUNAR-REQ-ID: 1\r\n\r\n") == plain);
  CHECK(without_lunar("\r\nGET / HTTP/1.1\r\nx-lunar-host: b\r\nx-lunar-scheme: c\r\n\r\n") ==
        "\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(without_lunar("GET / HTTP/1.1\r\n\r\n") == "GET / HTTP/1.1\r\n\r\n");
}

TEST_CASE("copy without: adds lines before the empty line") {
  CHECK(without_lunar("GET / HTTP/1.1\r\nA: b\r\n\r\n", "C: d\r\n") == "GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n");
}

TEST_CASE("copy without: says 0 when the buffer is too small, at every size") {
  Request request("GET / HTTP/1.1\r\nA: b\r\nx-lunar-host: c\r\nD: e\r\n\r\n");
  std::string expected = "GET / HTTP/1.1\r\nA: b\r\nD: e\r\n\r\n";
  for (size_t size = 0; size <= expected.size(); ++size) {
    std::string out(size, '\0');
    size_t written = copy_without(request.text, request.parsed.fields, is_lunar, out);
    CHECK(written == (size < expected.size() ? 0 : expected.size()));
  }
}

TEST_CASE("rewrite request: sets target and host, drops what is ours and what is for one hop") {
  CHECK(
      rewritten("POST http://h.example.com:81/p?q HTTP/1.1\r\nUser-Agent: x\r\nhost: old\r\nProxy-Connection: close\r\n"
                "Proxy-Authorization: Basic eA==\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nx-lunar-host: h\r\n"
                "Keep-Alive: timeout=5\r\nContent-Length: 3\r\n\r\n",
                {.target = "/p?q", .host = "h.example.com:81"}) ==
      "POST /p?q HTTP/1.1\r\nUser-Agent: x\r\nhost: h.example.com:81\r\nContent-Length: 3\r\n\r\n");
}

TEST_CASE("rewrite request: keeps target and host where none are given, and adds a missing Host first") {
  CHECK(rewritten("GET /a HTTP/1.1\r\nHost:  x\r\n\r\n", {}) == "GET /a HTTP/1.1\r\nHost:  x\r\n\r\n");
  CHECK(rewritten("GET /a HTTP/1.0\r\nA: b\r\n\r\n", {.host = "x"}) == "GET /a HTTP/1.0\r\nHost: x\r\nA: b\r\n\r\n");
}

TEST_CASE("rewrite request: offers anew what the gateway honours on the next hop") {
  CHECK(rewritten("GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\n",
                  {.extra = "E: f\r\n"}) ==
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nTE: trailers\r\nConnection: Upgrade, TE\r\nE: f\r\n\r\n");
  CHECK(rewritten("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {}) ==
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(rewritten("GET / HTTP/1.1\r\nTE: gzip\r\nConnection: TE\r\n\r\n", {}) == "GET / HTTP/1.1\r\n\r\n");
  CHECK(rewritten("GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
                  {}) == "GET / HTTP/1.1\r\n\r\n");
}

TEST_CASE("rewrite request: keeps the framing of the body") {
  CHECK(rewritten("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nConnection: Transfer-Encoding\r\n\r\n",
                  {}) == "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n");
}

TEST_CASE("rewrite request: fits into the announced limit, and says 0 in less") {
  RequestRewrite rewrite{.target = "/t", .host = "h", .extra = "E: f\r\n"};
  Request request("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: u\r\nTE: trailers\r\n\r\n");
  std::string out(rewritten_size_limit(request.text, rewrite), '\0');
  size_t written = rewrite_request(request.text, request.parsed, rewrite, out);
  REQUIRE(written != 0);
  out.resize(written - 1);
  CHECK(rewrite_request(request.text, request.parsed, rewrite, out) == 0);
}

TEST_CASE("rewrite response: drops false claims and what is for one hop, says how the connection goes on") {
  std::string_view head =
      "HTTP/1.1 200 OK\r\nServer: x\r\nX-Lunar-Error: 2\r\nx-lunar-generated: true\r\nx-lunar-sequence-id: 7\r\n"
      "Connection: close\r\nKeep-Alive: 5\r\nContent-Length: 1\r\n\r\n";
  CHECK(rewritten_response(head, "") ==
        "HTTP/1.1 200 OK\r\nServer: x\r\nx-lunar-sequence-id: 7\r\nContent-Length: 1\r\n\r\n");
  CHECK(rewritten_response(head, "keep-alive", "A: b\r\n") ==
        "HTTP/1.1 200 OK\r\nServer: x\r\nx-lunar-sequence-id: 7\r\nContent-Length: 1\r\n"
        "Connection: keep-alive\r\nA: b\r\n\r\n");
  CHECK(
      rewritten_response("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "") ==
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  CHECK(rewritten_response("HTTP/1.1 200\r\n\r\n", "close") == "HTTP/1.1 200\r\nConnection: close\r\n\r\n");
}

TEST_CASE("small response: is complete, and without body for HEAD and bodiless statuses") {
  std::array<char, 512> out;
  auto text = [&](const SmallResponse& response) { return std::string(out.data(), write_response(response, out)); };
  CHECK(text({.body = "up\n"}) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        "Connection: keep-alive\r\n\r\nup\n");
  CHECK(text({.status = 405, .extra = "Allow: GET\r\n", .body = "no\n", .close = true, .head_only = true}) ==
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        "Allow: GET\r\nConnection: close\r\n\r\n");
  CHECK(text({.status = 204, .body = "lost"}) == "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
  std::array<char, 40> small;
  CHECK(write_response({.body = "up\n"}, small) == 0);
}

TEST_CASE("gateway error: carries its code and one line with the request id") {
  std::array<char, 512> out;
  GatewayError error{.status = 403, .code = 7, .text = "a.example.com is in blocked_domains", .request_id = "r1"};
  CHECK(std::string(out.data(), write_gateway_error(error, out)) ==
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 49\r\n"
        "x-lunar-error: 7\r\nConnection: keep-alive\r\n\r\na.example.com is in blocked_domains (request r1)\n");
  ResponseHead parsed;
  GatewayError last{.status = 431, .code = 21, .text = "head above 64 KiB", .close = true};
  std::string written(out.data(), write_gateway_error(last, out));
  REQUIRE(parse_response_head(written, {}, parsed) == ParseState::complete);
  CHECK_FALSE(parsed.keep_alive);
  CHECK(parsed.framing.length == written.size() - parsed.size);
  CHECK(written.ends_with("\r\n\r\nhead above 64 KiB\n"));
}

TEST_CASE("reason phrases: exist for every status that the gateway answers with") {
  for (int status : {400, 401, 403, 404, 431, 503, 504}) CHECK(reason_phrase(status) != "Status");
  CHECK(reason_phrase(799) == "Status");
}
