// RFC 9113 §6, as a client sends it: each type of frame.
#include "tests/http/h2_conformance.h"

namespace lunar::test {
namespace {

using enum http::H2Code;
using Peer = Conformance::Peer;

std::string get(uint32_t stream) { return headers_frame(stream, request_fields()); }
std::string open_post(uint32_t stream) { return headers_frame(stream, post_fields(), flag::end_headers); }

std::string post_of_five(uint32_t stream) {
  return headers_frame(stream, post_fields({{"content-length", "5"}}), flag::end_headers);
}

// With this many bytes of padding claimed, and this many there.
std::string padded(char claimed, std::string_view content, size_t there) {
  return std::string(1, claimed).append(content).append(there, '\0');
}

std::vector<Conformance> data_rows() {
  return {
      {"6.1 DATA on stream 0", Peer::client, data_frame(0, "x"), ends(protocol_error)},
      {"6.1 DATA with padding", Peer::client,
       post_of_five(1).append(data_frame(1, padded('\3', "hello", 3), flag::padded)), accepted("\r\n\r\nhello")},
      {"6.1 DATA with padding of no bytes", Peer::client,
       post_of_five(1).append(data_frame(1, padded('\0', "hello", 0), flag::padded)), accepted("\r\n\r\nhello")},
      {"6.1 DATA with padding alone, at the end", Peer::client,
       open_post(1).append(data_frame(1, padded('\3', "", 3), flag::padded | flag::end_stream)),
       accepted("\r\n\r\n0\r\n\r\nended 1")},
      {"6.1 DATA with as much padding as payload", Peer::client,
       open_post(1).append(data_frame(1, padded('\4', "", 3), flag::padded)), ends(protocol_error)},
      {"6.1 DATA with more padding than payload", Peer::client,
       open_post(1).append(data_frame(1, padded('\xff', "hello", 0), flag::padded)), ends(protocol_error)},
      {"6.1 DATA that is padded and empty", Peer::client, open_post(1).append(data_frame(1, "", flag::padded)),
       ends(protocol_error)},
      {"6.1 DATA without bytes", Peer::client, open_post(1).append(data_frame(1, "")).append(data_frame(1, "a")),
       accepted("\r\n\r\n1\r\na\r\n")},
      {"6.1 DATA without bytes, at the end", Peer::client, open_post(1).append(data_frame(1, "", flag::end_stream)),
       accepted("\r\n\r\n0\r\n\r\nended 1")},
  };
}

std::vector<Conformance> headers_rows() {
  const std::string fields = block(request_fields());
  return {
      {"6.2 HEADERS on stream 0", Peer::client, get(0), ends(protocol_error)},
      {"6.2 HEADERS with padding", Peer::client, frame(headers, flag::whole | flag::padded, 1, padded('\7', fields, 7)),
       accepted("ended 1")},
      {"6.2 HEADERS with padding and a priority", Peer::client,
       frame(headers, flag::whole | flag::padded | flag::priority, 1,
             padded('\7', big_endian(0, 4).append("\x01").append(fields), 7)),
       accepted("ended 1")},
      {"6.2 HEADERS with more padding than payload", Peer::client,
       frame(headers, flag::whole | flag::padded, 1, padded('\xff', fields, 0)), ends(protocol_error)},
      {"6.2 HEADERS that is padded and empty", Peer::client, frame(headers, flag::whole | flag::padded, 1, {}),
       ends(protocol_error)},
      {"6.2 HEADERS that is too short for its priority", Peer::client,
       frame(headers, flag::whole | flag::priority, 1, big_endian(1, 4)), ends(frame_size_error)},
      {"6.3 PRIORITY on stream 0", Peer::client, frame(priority, 0, 0, big_endian(1, 4).append("\x10")),
       ends(protocol_error)},
      {"6.3 PRIORITY of four bytes", Peer::client, get(1).append(frame(priority, 0, 1, "\1\1\1\1")),
       ends(frame_size_error)},
      {"6.4 RST_STREAM on stream 0", Peer::client, reset_frame(0, 8), ends(protocol_error)},
      {"6.4 RST_STREAM of three bytes", Peer::client, get(1).append(frame(rst_stream, 0, 1, "abc")),
       ends(frame_size_error)},
      {"6.4 RST_STREAM of five bytes", Peer::client, get(1).append(frame(rst_stream, 0, 1, "abcde")),
       ends(frame_size_error)},
      {"6.4 RST_STREAM of an open stream", Peer::client, open_post(1).append(reset_frame(1, 8)),
       accepted("closed 1\n  reset by the peer")},
      {"7 RST_STREAM with an unknown code", Peer::client, open_post(1).append(reset_frame(1, 0xffff'fff0U)),
       accepted("closed 1\n  reset by the peer")},
      {"6.6 PUSH_PROMISE of a client", Peer::client,
       get(1).append(frame(push_promise, flag::end_headers, 1, big_endian(2, 4).append(fields))), ends(protocol_error)},
      {"6.10 CONTINUATION on stream 0", Peer::client, frame(continuation, flag::end_headers, 0, {}),
       ends(protocol_error)},
      {"6.10 CONTINUATION behind a complete block", Peer::client,
       open_post(1).append(frame(continuation, flag::end_headers, 1, {})), ends(protocol_error)},
      {"6.10 CONTINUATION behind DATA", Peer::client,
       open_post(1).append(data_frame(1, "x")).append(frame(continuation, flag::end_headers, 1, {})),
       ends(protocol_error)},
      {"6.10 CONTINUATION without bytes", Peer::client,
       frame(headers, flag::end_stream, 1, fields).append(frame(continuation, flag::end_headers, 1, {})),
       accepted("ended 1")},
      {"6.10 CONTINUATION behind HEADERS without bytes", Peer::client,
       frame(headers, flag::end_stream, 1, {}).append(frame(continuation, flag::end_headers, 1, fields)),
       accepted("ended 1")},
      {"6.10 CONTINUATION without an end", Peer::client, frame(headers, 0, 1, {}).append([] {
         std::string out;
         for (int i = 0; i < 17; ++i) out += frame(continuation, 0, 1, literal("a", "b"));
         return out;
       }()),
       ends(enhance_your_calm)},
  };
}

std::vector<Conformance> settings_rows() {
  return {
      {"6.5 SETTINGS on a stream", Peer::client, frame(settings, 0, 1, {}), ends(protocol_error)},
      {"6.5 SETTINGS whose length is no multiple of six", Peer::client, frame(settings, 0, 0, "12345"),
       ends(frame_size_error)},
      {"6.5 SETTINGS that acknowledge and say something", Peer::client, frame(settings, flag::ack, 0, big_endian(0, 6)),
       ends(frame_size_error)},
      {"6.5.2 a table of no bytes", Peer::served, settings_frame({{1, 0}}).append(get(1)),
       answered({headers, flag::end_headers, 1, "\x20"})},
      {"6.5.2 a client that does not want pushes", Peer::client, settings_frame({{2, 0}}),
       answered({settings, flag::ack, 0, {}})},
      {"6.5.2 a client that wants pushes", Peer::client, settings_frame({{2, 1}}),
       answered({settings, flag::ack, 0, {}})},
      {"6.5.2 ENABLE_PUSH of 2", Peer::client, settings_frame({{2, 2}}), ends(protocol_error)},
      {"6.5.2 no concurrent streams", Peer::client, settings_frame({{3, 0}}), answered({settings, flag::ack, 0, {}})},
      {"6.5.2 the largest window", Peer::client, settings_frame({{4, 0x7fff'ffffU}}),
       answered({settings, flag::ack, 0, {}})},
      {"6.5.2 a window above the largest", Peer::client, settings_frame({{4, 0x8000'0000U}}), ends(flow_control_error)},
      {"6.5.2 the smallest frame size", Peer::client, settings_frame({{5, 16'384}}),
       answered({settings, flag::ack, 0, {}})},
      {"6.5.2 the largest frame size", Peer::client, settings_frame({{5, 16'777'215}}),
       answered({settings, flag::ack, 0, {}})},
      {"6.5.2 a frame size below the smallest", Peer::client, settings_frame({{5, 16'383}}), ends(protocol_error)},
      {"6.5.2 a frame size above the largest", Peer::client, settings_frame({{5, 16'777'216}}), ends(protocol_error)},
      {"6.5.2 a small header list", Peer::client, settings_frame({{6, 10}}), answered({settings, flag::ack, 0, {}})},
      {"6.5.2 an unknown setting", Peer::client, settings_frame({{0xabcd, 7}}), answered({settings, flag::ack, 0, {}})},
      {"6.5.3 of several values of one setting, the last holds", Peer::served,
       settings_frame({{4, 100'000}, {4, 2}}).append(get(1)), answered({data, 0, 1, "he"})},
      {"6.5.3 settings are acknowledged without any entry", Peer::client, settings_frame({}),
       answered({settings, flag::ack, 0, {}})},
      {"RFC 8441 3 ENABLE_CONNECT_PROTOCOL of 2", Peer::client, settings_frame({{8, 2}}), ends(protocol_error)},
      {"RFC 9218 2.1 NO_RFC7540_PRIORITIES of 2", Peer::client, settings_frame({{9, 2}}), ends(protocol_error)},
      {"6.5 SETTINGS with very many entries", Peer::client, frame(settings, 0, 0, std::string(6 * 33, '\x7f')),
       ends(enhance_your_calm)},
  };
}

std::vector<Conformance> connection_rows() {
  return {
      {"6.7 PING on a stream", Peer::client, frame(ping, 0, 1, "12345678"), ends(protocol_error)},
      {"6.7 PING of seven bytes", Peer::client, ping_frame("1234567"), ends(frame_size_error)},
      {"6.7 PING of nine bytes", Peer::client, ping_frame("123456789"), ends(frame_size_error)},
      {"6.7 PING is answered with its bytes", Peer::client, ping_frame(std::string(8, '\0')),
       answered({ping, flag::ack, 0, std::string(8, '\0')})},
      {"6.7 an answer that nobody asked for", Peer::client, ping_frame("12345678", flag::ack), ignored()},
      {"6.8 GOAWAY on a stream", Peer::client, frame(goaway, 0, 1, big_endian(0, 8)), ends(protocol_error)},
      {"6.8 GOAWAY of seven bytes", Peer::client, frame(goaway, 0, 0, big_endian(0, 7)), ends(frame_size_error)},
      {"6.8 GOAWAY of a client whose request is answered nevertheless", Peer::served,
       open_post(1).append(goaway_frame(0, 0, "bye")).append(data_frame(1, "x")).append(data_frame(1, "y")),
       accepted("1\r\ny\r\n")},
      {"6.9 WINDOW_UPDATE of three bytes", Peer::client, frame(window_update, 0, 0, "abc"), ends(frame_size_error)},
      {"6.9 WINDOW_UPDATE of five bytes", Peer::client, frame(window_update, 0, 0, "abcde"), ends(frame_size_error)},
      {"6.9 WINDOW_UPDATE of nothing for the connection", Peer::client, window_frame(0, 0), ends(protocol_error)},
      {"6.9 WINDOW_UPDATE of nothing for a stream", Peer::client, open_post(1).append(window_frame(1, 0)),
       ends(protocol_error)},
      {"6.9 WINDOW_UPDATE ignores the reserved bit", Peer::client, window_frame(0, 0x8000'0001U), ignored()},
      {"6.9.1 a connection's window above the largest", Peer::client, window_frame(0, 0x7fff'ffffU),
       ends(flow_control_error)},
      {"6.9.1 a stream's window above the largest", Peer::client, open_post(1).append(window_frame(1, 0x7fff'ffffU)),
       resets(1, flow_control_error)},
      {"6.9.1 the largest window of a connection", Peer::client, window_frame(0, 0x7fff'ffffU - 65'535), ignored()},
      {"6.9.1 no byte more than the window", Peer::served, settings_frame({{4, 3}}).append(get(1)),
       answered({data, 0, 1, "hel"})},
      {"6.9.1 the rest when the window opens", Peer::served,
       settings_frame({{4, 3}}).append(get(1)).append(window_frame(1, 10)), answered({data, flag::end_stream, 1, {}})},
      {"6.9.2 the window of an open stream grows with the setting", Peer::served,
       settings_frame({{4, 0}}).append(get(1)).append(settings_frame({{4, 10}})),
       answered({data, flag::end_stream, 1, "hello"})},
      {"6.9.2 the window of an open stream shrinks below nothing", Peer::served,
       settings_frame({{4, 3}}).append(get(1)).append(settings_frame({{4, 0}})).append(window_frame(1, 4)),
       answered({data, 0, 1, "hel"})},
      // The RFC asks for the end of the connection; nghttp2 ends the streams concerned.
      {"6.9.2 a setting lifts a stream's window above the largest", Peer::client,
       settings_frame({{4, 1}})
           .append(open_post(1))
           .append(window_frame(1, 0x7fff'fffeU))
           .append(settings_frame({{4, 2}})),
       resets(1, flow_control_error)},
  };
}

}  // namespace

std::vector<Conformance> frame_type_rows() {
  std::vector<Conformance> rows = data_rows();
  for (auto part : {headers_rows, settings_rows, connection_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace lunar::test
