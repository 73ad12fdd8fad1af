// What a server sends, and we as its client: RFC 9113 §3 to §8.
#include "tests/http/h2_conformance.h"

namespace lunar::test {
namespace {

using enum http::H2Code;
using Peer = Conformance::Peer;

Conformance row(std::string name, std::string sends, Wanted wanted) {
  return {std::move(name), Peer::server, std::move(sends), std::move(wanted)};
}

Conformance malformed(std::string name, std::string sends, uint32_t stream = get_stream) {
  return row(std::move(name), std::move(sends), resets(stream, protocol_error));
}

FieldLines response(std::string status, const FieldLines& more = {}) {
  FieldLines out{{":status", std::move(status)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

// The head of a response whose body is to come.
std::string head(std::string status, const FieldLines& more = {}, uint32_t stream = get_stream) {
  return headers_frame(stream, response(std::move(status), more), flag::end_headers);
}

std::string whole(std::string status, const FieldLines& more = {}, uint32_t stream = get_stream) {
  return headers_frame(stream, response(std::move(status), more));
}

std::string many_interims(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += head("103");
  return out;
}

std::vector<Conformance> connection_rows() {
  return {
      {"3.4 a server that begins with HEADERS", Peer::silent_server, whole("200"), ends(protocol_error)},
      {"3.4 a server that begins with PING", Peer::silent_server, ping_frame("12345678"), ends(protocol_error)},
      {"3.4 a server that speaks HTTP/1.1", Peer::silent_server, "HTTP/1.1 400 Bad Request\r\n\r\n",
       ends(protocol_error)},
      {"3.4 a server's settings are acknowledged", Peer::silent_server, settings_frame({{3, 10}}),
       answered({settings, flag::ack, 0, {}})},
      row("4.1 an unknown type of a server", frame(0xfe, 0xff, get_stream, "abc"), ignored()),
      row("4.2 DATA of a server above the largest size",
          head("200").append(data_frame(get_stream, std::string(16 * 1024 + 1, 'x'))), ends(frame_size_error)),
      row("4.3 a block of a server that cannot be decoded", frame(headers, flag::whole, get_stream, unhex("88 be")),
          ends(compression_error)),
      row("4.3 a block of a server in two frames",
          frame(headers, flag::end_stream, get_stream, unhex("88"))
              .append(frame(continuation, flag::end_headers, get_stream, literal("a", "b"))),
          accepted("HTTP/1.1 200 OK\r\na: b\r\nContent-length: 0\r\n\r\nended 1")),
      row("5.1 HEADERS on a stream that we have not opened", whole("200", {}, 99), ends(protocol_error)),
      row("5.1 DATA on a stream that we have not opened", data_frame(99, "x"), ends(protocol_error)),
      row("5.1 DATA before the response's head", data_frame(get_stream, "x"), ends(protocol_error)),
      row("5.1 WINDOW_UPDATE on a stream that we have not opened", window_frame(99, 1), ends(protocol_error)),
      row("5.1 RST_STREAM on a stream that we have not opened", reset_frame(99, 8), ends(protocol_error)),
      row("5.1 DATA behind the end of a response while our request goes on",
          whole("200", {}, post_stream).append(data_frame(post_stream, "x")), ends(stream_closed)),
      row("5.1 HEADERS behind the end of a response while our request goes on",
          whole("200", {}, post_stream).append(whole("200", {}, post_stream)), ends(stream_closed)),
      row("5.1 WINDOW_UPDATE behind the end of a response", whole("204").append(window_frame(get_stream, 10)),
          accepted("closed 1\n  complete")),
      row("5.1.1 a response on a stream of the server", whole("200", {}, 2), ends(protocol_error)),
      row("5.1.1 a response on stream 0", whole("200", {}, 0), ends(protocol_error)),
      row("5.2.1 what we consume may be sent again",
          head("200").append(data_frame(get_stream, std::string(16 * 1024, 'x'))),
          answered({window_update, 0, get_stream, {}})),
      row("5.3.2 PRIORITY of a server", frame(priority, 0, get_stream, big_endian(0, 4).append("\x10")), ignored()),
      row("5.5 ALTSVC and ORIGIN of a server",
          frame(0xa, 0, get_stream, big_endian(0, 2).append("h2=\":443\""))
              .append(frame(0xc, 0, 0, big_endian(9, 2).append("https://a"))),
          ignored()),
      row("6.4 RST_STREAM of a server", reset_frame(get_stream, 8), accepted("closed 1\n  reset by the peer")),
      row("6.5.2 a server that wants to push", settings_frame({{2, 1}}), ends(protocol_error)),
      row("6.5.2 a server that does not want to push", settings_frame({{2, 0}}),
          answered({settings, flag::ack, 0, {}})),
      row("6.6 PUSH_PROMISE although we have switched it off",
          frame(push_promise, flag::end_headers, get_stream, big_endian(2, 4).append(block(request_fields()))),
          ends(protocol_error)),
      row("6.7 PING of a server is answered", ping_frame("12345678"), answered({ping, flag::ack, 0, "12345678"})),
      row("6.8 GOAWAY above our streams", goaway_frame(connect_stream, 0), ignored()),
      row("6.8 GOAWAY closes what was not processed", goaway_frame(get_stream, 0),
          accepted("closed 4\n  not processed by the peer\n")),
      row("6.8 a response behind GOAWAY", goaway_frame(post_stream, 0).append(whole("200")), accepted("ended 1")),
      row("6.8 GOAWAY with an even stream", goaway_frame(2, 0), ends(protocol_error)),
      row("6.8 GOAWAY whose stream grows", goaway_frame(get_stream, 0).append(goaway_frame(post_stream, 0)),
          ends(protocol_error)),
      row("6.9 WINDOW_UPDATE of nothing by a server", window_frame(0, 0), ends(protocol_error)),
      row("6.9.1 a window above the largest, of our stream", window_frame(post_stream, 0x7fff'ffffU),
          resets(post_stream, flow_control_error)),
      row("RFC 8441 3 a server that offers extended CONNECT", settings_frame({{8, 1}}),
          answered({settings, flag::ack, 0, {}})),
      row("RFC 8441 3 a server that takes its offer back", settings_frame({{8, 1}}).append(settings_frame({{8, 0}})),
          ends(protocol_error)),
  };
}

std::vector<Conformance> response_rows() {
  const std::string x = data_frame(get_stream, "x");
  const std::string x_end = data_frame(get_stream, "x", flag::end_stream);
  return {
      row("8.1 a response without a body", whole("200"),
          accepted("HTTP/1.1 200 OK\r\nContent-length: 0\r\n\r\nended 1\nclosed 1\n  complete\n")),
      row("8.1 a response with a body", head("200").append(x_end),
          accepted("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nended 1\nclosed 1\n")),
      row("8.1 trailers of a response", head("200").append(x).append(headers_frame(get_stream, {{"grpc-status", "0"}})),
          accepted("1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\nended 1")),
      row("8.1 a status that nobody knows", whole("799"), accepted("HTTP/1.1 799 ")),
      row("8.1 an interim response", head("103", {{"link", "</a>"}}).append(whole("200")),
          accepted("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")),
      row("8.1 several interim responses", head("100").append(head("103")).append(head("103")).append(whole("200")),
          accepted("HTTP/1.1 200 OK\r\n")),
      row("8.1 a response before our request is complete", whole("403", {}, post_stream), accepted("ended 2")),
      row("8.1 a response, and a reset without an error, before our request is complete",
          whole("403", {}, post_stream).append(reset_frame(post_stream, 0)), accepted("ended 2\nclosed 2\n")),
      row("8.1 interim responses without an end", many_interims(65), resets(get_stream, enhance_your_calm)),
      malformed("8.1 an interim response that ends the stream", whole("103")),
      malformed("8.1 DATA behind an interim response", head("103").append(x)),
      malformed("8.1 an end without a final head", head("103").append(data_frame(get_stream, "", flag::end_stream))),
      malformed("8.1 a second head", head("200").append(head("200"))),
      malformed("8.1 trailers with :status", head("200").append(whole("200"))),
      malformed("8.1 trailers of a response that do not end it",
                head("200").append(headers_frame(get_stream, {{"a", "b"}}, flag::end_headers))),
      row("8.1.1 as much DATA as the response's content-length", head("200", {{"content-length", "1"}}).append(x_end),
          accepted("content-length: 1\r\n\r\nxended 1")),
      malformed("8.1.1 less DATA than the response's content-length",
                head("200", {{"content-length", "2"}}).append(x_end)),
      malformed("8.1.1 more DATA than the response's content-length",
                head("200", {{"content-length", "1"}}).append(x).append(x)),
      malformed("8.1.1 a response's length and its end", whole("200", {{"content-length", "1"}})),
      row("8.1.1 the length of a response to HEAD", whole("200", {{"content-length", "9"}}, head_stream),
          accepted("content-length: 9\r\n\r\nended 3")),
      malformed("8.1.1 DATA of a response to HEAD", head("200", {}, head_stream).append(data_frame(head_stream, "x")),
                head_stream),
      row("8.1.1 a response to HEAD that ends with empty DATA",
          head("200", {{"content-length", "9"}}, head_stream).append(data_frame(head_stream, "", flag::end_stream)),
          accepted("content-length: 9\r\n\r\nended 3")),
      row("8.1.1 the length of 304", whole("304", {{"content-length", "9"}}),
          accepted("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\nended 1")),
      malformed("8.1.1 DATA of 304", head("304").append(x)),
      row("8.1.1 204", whole("204"), accepted("HTTP/1.1 204 No Content\r\n\r\nended 1")),
      malformed("8.1.1 a length of 204", whole("204", {{"content-length", "1"}})),
      malformed("8.1.1 DATA of 204", head("204").append(x)),
  };
}

std::vector<Conformance> field_rows() {
  const std::string tunnel = head("200", {}, connect_stream);
  return {
      malformed("8.2 a response's name in upper case", whole("200", {{"X-Name", "a"}})),
      malformed("8.2.1 a line feed in a response's value", whole("200", {{"x-name", "a\nb"}})),
      malformed("8.2.1 a head in a response's value", whole("200", {{"x-name", "a\r\n\r\nHTTP/1.1 200 OK\r\n"}})),
      malformed("8.2.2 connection in a response", whole("200", {{"connection", "close"}})),
      malformed("8.2.2 transfer-encoding in a response", whole("200", {{"transfer-encoding", "chunked"}})),
      malformed("8.2.2 te in a response", whole("200", {{"te", "trailers"}})),
      malformed("8.3 a pseudo-field of requests", whole("200", {{":path", "/"}})),
      malformed("8.3 :status behind a field", headers_frame(get_stream, {{"a", "b"}, {":status", "200"}})),
      malformed("8.3.2 no :status", headers_frame(get_stream, {{"a", "b"}})),
      malformed("8.3.2 two :status", whole("200", {{":status", "200"}})),
      malformed("8.3.2 :status of two digits", whole("20")),
      malformed("8.3.2 :status of four digits", whole("2000")),
      malformed("8.3.2 :status that is no number", whole("2x0")),
      malformed("8.3.2 :status below 100", whole("099")),
      malformed("8.6 :status 101", head("101")),
      row("8.4 several set-cookie stay apart", whole("200", {{"set-cookie", "a=1"}, {"set-cookie", "b=2"}}),
          accepted("set-cookie: a=1\r\nset-cookie: b=2\r\n")),
      row("8.5 a tunnel", head("200", {}, connect_stream).append(data_frame(connect_stream, "\x16\x03")),
          accepted("HTTP/1.1 200 OK\r\n\r\n\x16\x03")),
      row("8.5 a tunnel's other end", std::string(tunnel).append(data_frame(connect_stream, "", flag::end_stream)),
          accepted("HTTP/1.1 200 OK\r\n\r\nended 4")),
      malformed("8.5 HEADERS in a tunnel", std::string(tunnel).append(headers_frame(connect_stream, {{"a", "b"}})),
                connect_stream),
      row("8.5 a tunnel that is refused", whole("407", {{"content-length", "0"}}, connect_stream),
          accepted("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\nended 4")),
  };
}

}  // namespace

std::vector<Conformance> client_rows() {
  std::vector<Conformance> rows = connection_rows();
  for (auto part : {response_rows, field_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace lunar::test
