// RFC 9113 §8 and RFC 8441, as a client sends it: requests.
#include "tests/http/h2_conformance.h"

namespace lunar::test {
namespace {

using enum http::H2Code;
using Peer = Conformance::Peer;

Conformance malformed(std::string name, const FieldLines& fields) {
  return {std::move(name), Peer::client, headers_frame(1, fields), resets(1, protocol_error)};
}

Conformance fine(std::string name, const FieldLines& fields, std::string text) {
  return {std::move(name), Peer::client, headers_frame(1, fields), accepted(std::move(text))};
}

std::string post(const FieldLines& more = {}) { return headers_frame(1, post_fields(more), flag::end_headers); }

Conformance broken_body(std::string name, std::string sends) {
  return {std::move(name), Peer::client, std::move(sends), resets(1, protocol_error)};
}

FieldLines regular(std::string name, std::string value) {
  return request_fields({{std::move(name), std::move(value)}});
}

std::vector<Conformance> body_rows() {
  return {
      {"8.1 a body and trailers", Peer::client,
       post().append(data_frame(1, "hello")).append(headers_frame(1, {{"x-sum", "5"}})),
       accepted("o\r\n0\r\nx-sum: 5\r\n\r\nended 1")},
      {"8.1 trailers without a body", Peer::client, post().append(headers_frame(1, {{"grpc-status", "0"}})),
       accepted("0\r\ngrpc-status: 0\r\n\r\nended 1")},
      {"8.1 trailers behind a body of known length are left out", Peer::client,
       post({{"content-length", "5"}}).append(data_frame(1, "hello")).append(headers_frame(1, {{"x-sum", "5"}})),
       accepted("content-length: 5\r\n\r\nhelloended 1")},
      broken_body("8.1 trailers that do not end the stream",
                  post().append(data_frame(1, "x")).append(headers_frame(1, {{"a", "b"}}, flag::end_headers))),
      broken_body("8.1 trailers with a pseudo-field", post().append(headers_frame(1, {{":path", "/"}}))),
      broken_body("8.1 trailers with an unknown pseudo-field", post().append(headers_frame(1, {{":x", "/"}}))),
      broken_body("8.1 trailers with a connection-specific field",
                  post().append(headers_frame(1, {{"transfer-encoding", "chunked"}}))),
      broken_body("8.1 trailers in upper case", post().append(headers_frame(1, {{"X-Sum", "5"}}))),
      {"8.1 DATA behind trailers", Peer::client,
       post().append(headers_frame(1, {{"a", "b"}})).append(data_frame(1, "x")), ends(stream_closed)},
      {"8.1.1 as much DATA as content-length", Peer::client,
       post({{"content-length", "5"}}).append(data_frame(1, "hel")).append(data_frame(1, "lo", flag::end_stream)),
       accepted("content-length: 5\r\n\r\nhelloended 1")},
      broken_body("8.1.1 less DATA than content-length",
                  post({{"content-length", "5"}}).append(data_frame(1, "hell", flag::end_stream))),
      broken_body("8.1.1 more DATA than content-length",
                  post({{"content-length", "5"}}).append(data_frame(1, "hello!"))),
      broken_body("8.1.1 less DATA than content-length, and trailers",
                  post({{"content-length", "5"}}).append(data_frame(1, "x")).append(headers_frame(1, {{"a", "b"}}))),
      broken_body("8.1.1 DATA of a body of length 0", post({{"content-length", "0"}}).append(data_frame(1, "x"))),
      malformed("8.1.1 a length and the end of the stream", regular("content-length", "5")),
      malformed("8.1.1 a length that is no number", regular("content-length", "five")),
      malformed("8.1.1 a negative length", regular("content-length", "-1")),
      malformed("8.1.1 two lengths", request_fields({{"content-length", "0"}, {"content-length", "1"}})),
      fine("8.1.1 a length of 0 and the end of the stream", regular("content-length", "0"), "content-length: 0\r\n"),
  };
}

std::vector<Conformance> field_rows() {
  return {
      malformed("8.2 a name in upper case", regular("X-Name", "a")),
      malformed("8.2.1 an empty name", regular("", "a")),
      malformed("8.2.1 a blank in a name", regular("x name", "a")),
      malformed("8.2.1 a colon in a name", regular("x:name", "a")),
      malformed("8.2.1 a control character in a name", regular("x\x01name", "a")),
      malformed("8.2.1 a byte above 0x7f in a name", regular("x\xc3\xa4", "a")),
      malformed("8.2.1 NUL in a value", regular("x-name", std::string("a\0b", 3))),
      malformed("8.2.1 CR in a value", regular("x-name", "a\rb")),
      malformed("8.2.1 LF in a value", regular("x-name", "a\nb")),
      malformed("8.2.1 a request in a value", regular("x-name", "a\r\n\r\nGET /b HTTP/1.1\r\n")),
      malformed("8.2.1 a value that begins with a blank", regular("x-name", " a")),
      malformed("8.2.1 a value that ends with a tab", regular("x-name", "a\t")),
      fine("8.2.1 blanks inside of a value, and bytes above 0x7f", regular("x-name", "a \t\xc3\xa4"),
           "x-name: a \t\xc3\xa4\r\n"),
      fine("8.2.1 an empty value", regular("x-name", ""), "x-name: \r\n"),
      malformed("8.2.2 connection", regular("connection", "close")),
      malformed("8.2.2 keep-alive", regular("keep-alive", "5")),
      malformed("8.2.2 proxy-connection", regular("proxy-connection", "keep-alive")),
      malformed("8.2.2 transfer-encoding", regular("transfer-encoding", "chunked")),
      malformed("8.2.2 upgrade", regular("upgrade", "h2c")),
      malformed("8.2.2 te with another value than trailers", regular("te", "trailers, gzip")),
      fine("8.2.2 te: trailers", regular("te", "trailers"), "te: trailers\r\n"),
      fine("8.2.3 crumbs of a cookie become one",
           request_fields({{"cookie", "a=1"}, {"x-name", "b"}, {"cookie", "c=2"}, {"cookie", "d=3"}}),
           "cookie: a=1; c=2; d=3\r\nx-name: b\r\n\r\n"),
  };
}

std::vector<Conformance> pseudo_rows() {
  const FieldLines connect{{":method", "CONNECT"}, {":authority", "a.example:443"}};
  return {
      malformed("8.3 an unknown pseudo-field", regular(":name", "a")),
      malformed(
          "8.3 a pseudo-field behind a field",
          {{":method", "GET"}, {":scheme", "https"}, {"x-name", "a"}, {":authority", "a.example"}, {":path", "/"}}),
      malformed("8.3 a pseudo-field of responses", request_fields({{":status", "200"}})),
      malformed("8.3.1 no :method", without(request_fields(), ":method")),
      malformed("8.3.1 no :scheme", without(request_fields(), ":scheme")),
      malformed("8.3.1 no :path", without(request_fields(), ":path")),
      malformed("8.3.1 an empty :path", with(request_fields(), ":path", "")),
      malformed("8.3.1 :path without a slash", with(request_fields(), ":path", "index")),
      malformed("8.3.1 a blank in :path", with(request_fields(), ":path", "/a b")),
      malformed("8.3.1 a request line in :path", with(request_fields(), ":path", "/ HTTP/1.1\r\nx: y")),
      malformed("8.3.1 an asterisk for GET", with(request_fields(), ":path", "*")),
      fine("8.3.1 an asterisk for OPTIONS", with(with(request_fields(), ":method", "OPTIONS"), ":path", "*"),
           "OPTIONS * HTTP/1.1\r\nhost: a.example\r\n"),
      malformed("8.3.1 :method that is no token", with(request_fields(), ":method", "GET /")),
      malformed("8.3.1 an empty :method", with(request_fields(), ":method", "")),
      malformed(
          "8.3.1 two :method",
          {{":method", "GET"}, {":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}}),
      malformed(
          "8.3.1 two :path",
          {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}, {":path", "/"}}),
      malformed("8.3.1 :authority with a user", with(request_fields(), ":authority", "root@a.example")),
      malformed("8.3.1 an empty :authority", with(request_fields(), ":authority", "")),
      malformed("8.3.1 neither :authority nor host", without(request_fields(), ":authority")),
      fine("8.3.1 host alone", without(regular("host", "b.example"), ":authority"), "\r\nhost: b.example\r\n"),
      fine("8.3.1 host that is :authority", regular("host", "A.example:443"), "\r\nhost: a.example\r\n\r\n"),
      malformed("8.3.1 host that is not :authority", regular("host", "b.example")),
      malformed("8.3.1 two host", without(request_fields({{"host", "a"}, {"host", "a"}}), ":authority")),
      fine("8.3.1 a method that nobody knows", with(request_fields(), ":method", "BREW"), "BREW / HTTP/1.1\r\n"),
      fine("8.5 CONNECT", connect, "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n"),
      malformed("8.5 CONNECT with :path", {{":method", "CONNECT"}, {":authority", "a.example:443"}, {":path", "/"}}),
      malformed("8.5 CONNECT with :scheme",
                {{":method", "CONNECT"}, {":scheme", "https"}, {":authority", "a.example:443"}}),
      malformed("8.5 CONNECT without :authority", {{":method", "CONNECT"}, {"host", "a.example:443"}}),
      {"8.5 bytes in a tunnel", Peer::client,
       headers_frame(1, connect, flag::end_headers).append(data_frame(1, "\x16\x03\x01")),
       accepted("\r\n\r\n\x16\x03\x01")},
      {"8.5 trailers in a tunnel", Peer::client,
       headers_frame(1, connect, flag::end_headers).append(headers_frame(1, {{"a", "b"}})), resets(1, protocol_error)},
  };
}

std::vector<Conformance> websocket_rows() {
  const FieldLines websocket = with(request_fields({{"sec-websocket-version", "13"}}), ":method", "CONNECT");
  FieldLines extended = websocket;
  extended.insert(extended.begin() + 1, {":protocol", "websocket"});
  return {
      {"RFC 8441 4 a WebSocket", Peer::client, headers_frame(1, extended, flag::end_headers),
       accepted(
           "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ")},
      {"RFC 8441 4 bytes of a WebSocket", Peer::client,
       headers_frame(1, extended, flag::end_headers).append(data_frame(1, "\x81\x01x")),
       accepted("sec-websocket-version: 13\r\n\r\n\x81\x01x")},
      malformed("RFC 8441 4 no :path", without(extended, ":path")),
      malformed("RFC 8441 4 no :scheme", without(extended, ":scheme")),
      malformed("RFC 8441 4 no :authority", without(extended, ":authority")),
      malformed("RFC 8441 4 :protocol with another method", with(extended, ":method", "GET")),
      malformed("RFC 8441 4 :protocol that is no token", with(extended, ":protocol", "web socket")),
  };
}

}  // namespace

std::vector<Conformance> message_rows() {
  std::vector<Conformance> rows = body_rows();
  for (auto part : {field_rows, pseudo_rows, websocket_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace lunar::test
