// RFC 9113 §3 to §5, as a client sends it: preface, frame format, streams.
#include "agent/http/h2_preface.h"
#include "tests/http/h2_conformance.h"

namespace lunar::test {
namespace {

using enum http::H2Code;
using Peer = Conformance::Peer;

std::string after_preface(std::string_view frames) { return std::string(http::h2_preface).append(frames); }

// A request in one HEADERS and as many CONTINUATION frames as its block has bytes left.
std::string in_pieces(uint32_t stream, std::string_view whole, size_t piece) {
  std::string out = frame(headers, flag::end_stream, stream, whole.substr(0, piece));
  for (size_t at = piece; at < whole.size(); at += piece) {
    bool last = at + piece >= whole.size();
    out += frame(continuation, last ? flag::end_headers : flag::none, stream, whole.substr(at, piece));
  }
  return out;
}

std::string get(uint32_t stream) { return headers_frame(stream, request_fields()); }
std::string open_post(uint32_t stream) { return headers_frame(stream, post_fields(), flag::end_headers); }

std::string sized_post(uint32_t stream, size_t size) {
  return headers_frame(stream, post_fields({{"content-length", std::to_string(size)}}), flag::end_headers);
}

std::string padding(uint32_t stream, int frames) {
  std::string out;
  for (int i = 0; i < frames; ++i) out += data_frame(stream, std::string("\xff").append(255, '\0'), flag::padded);
  return out;
}

std::string many_gets(uint32_t count) {
  std::string out;
  for (uint32_t i = 0; i < count; ++i) out += get(2 * i + 1);
  return out;
}

std::string full_data(uint32_t stream, int frames) {
  std::string out;
  for (int i = 0; i < frames; ++i) out += data_frame(stream, std::string(16 * 1024, 'x'));
  return out;
}

std::vector<Conformance> preface_rows() {
  return {
      {"3.4 a request of HTTP/1.1 in place of the preface", Peer::silent, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
       ends(protocol_error)},
      {"3.4 a preface whose last byte is wrong", Peer::silent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
       ends(protocol_error)},
      {"3.4 a preface that is followed by PING", Peer::silent, after_preface(ping_frame("12345678")),
       ends(protocol_error)},
      {"3.4 a preface that is followed by HEADERS", Peer::silent, after_preface(get(1)), ends(protocol_error)},
      {"3.4 a preface that is followed by an acknowledgement", Peer::silent, after_preface(settings_ack()),
       ends(protocol_error)},
      {"3.4 a preface with settings is acknowledged", Peer::silent, after_preface(settings_frame({{4, 70'000}})),
       answered({settings, flag::ack, 0, {}})},
      {"3.4 a request right behind the preface, before our settings are acknowledged", Peer::silent,
       after_preface(settings_frame({}).append(get(1))), accepted("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n")},
  };
}

std::vector<Conformance> format_rows() {
  const std::string large(16 * 1024 + 1, 'x');
  return {
      {"4.1 an unknown type on stream 0", Peer::client, frame(0xfe, 0, 0, "abc"), ignored()},
      {"4.1 an unknown type on an idle stream", Peer::client, frame(0xfe, 0xff, 77, "abc"), ignored()},
      {"4.1 an unknown type without payload", Peer::client, frame(0x20, 0, 1, {}), ignored()},
      {"4.1 flags that PING does not have", Peer::client, frame(ping, 0xfe, 0, "12345678"),
       answered({ping, flag::ack, 0, "12345678"})},
      {"4.1 flags that HEADERS does not have", Peer::client,
       frame(headers, flag::whole | 0xd2, 1, block(request_fields())), accepted("opened 1")},
      {"4.1 the reserved bit before the stream", Peer::client,
       frame(headers, flag::whole, 0x8000'0001U, block(request_fields())), accepted("opened 1")},
      {"4.2 DATA of the largest size", Peer::client, sized_post(1, 16 * 1024).append(full_data(1, 1)),
       accepted("\r\n\r\nxxxx")},
      {"4.2 DATA above the largest size", Peer::client, open_post(1).append(data_frame(1, large)),
       ends(frame_size_error)},
      {"4.2 HEADERS above the largest size", Peer::client, frame(headers, flag::whole, 1, large),
       ends(frame_size_error)},
      {"4.2 SETTINGS above the largest size", Peer::client, frame(settings, 0, 0, std::string(16'386, '\0')),
       ends(frame_size_error)},
      {"4.2 an unknown type above the largest size", Peer::client, frame(0xfe, 0, 0, large), ends(frame_size_error)},
      {"4.3 a block that cannot be decoded", Peer::client, frame(headers, flag::whole, 1, "\xff\xff\xff\xff\xff\xff"),
       ends(compression_error)},
      {"4.3 a block in two frames", Peer::client, in_pieces(1, block(request_fields()), 40), accepted("ended 1")},
      {"4.3 a block in many frames, cut inside of strings", Peer::client, in_pieces(1, block(request_fields()), 7),
       accepted("GET / HTTP/1.1\r\nhost: a.example\r\n\r\nended 1")},
      {"4.3 DATA inside of a block", Peer::client,
       frame(headers, 0, 1, block(request_fields())).append(data_frame(1, "x")), ends(protocol_error)},
      {"4.3 HEADERS of another stream inside of a block", Peer::client,
       frame(headers, 0, 1, block(request_fields())).append(get(3)), ends(protocol_error)},
      {"4.3 PING inside of a block", Peer::client, frame(headers, 0, 1, {}).append(ping_frame("12345678")),
       ends(protocol_error)},
      {"4.3 an unknown type inside of a block", Peer::client, frame(headers, 0, 1, {}).append(frame(0xfe, 0, 1, "x")),
       ends(protocol_error)},
      {"4.3 CONTINUATION of another stream", Peer::client,
       frame(headers, 0, 1, {}).append(frame(continuation, flag::end_headers, 3, block(request_fields()))),
       ends(protocol_error)},
  };
}

std::vector<Conformance> state_rows() {
  return {
      {"5.1 idle: DATA", Peer::client, data_frame(1, "x"), ends(protocol_error)},
      {"5.1 idle: RST_STREAM", Peer::client, reset_frame(1, 8), ends(protocol_error)},
      {"5.1 idle: WINDOW_UPDATE", Peer::client, window_frame(1, 10), ends(protocol_error)},
      {"5.1 idle: CONTINUATION", Peer::client, frame(continuation, flag::end_headers, 1, {}), ends(protocol_error)},
      {"5.1 idle: PRIORITY", Peer::client, frame(priority, 0, 1, big_endian(0, 4).append("\x10")), ignored()},
      {"5.1 half-closed: DATA", Peer::client, get(1).append(data_frame(1, "x")), ends(stream_closed)},
      {"5.1 half-closed: HEADERS", Peer::client, get(1).append(get(1)), ends(stream_closed)},
      {"5.1 half-closed: CONTINUATION", Peer::client, get(1).append(frame(continuation, flag::end_headers, 1, {})),
       ends(protocol_error)},
      {"5.1 half-closed: WINDOW_UPDATE", Peer::client, get(1).append(window_frame(1, 10)), accepted("ended 1")},
      {"5.1 half-closed: PRIORITY", Peer::client, get(1).append(frame(priority, 0, 1, big_endian(0, 4).append("\x10"))),
       accepted("ended 1")},
      {"5.1 half-closed: RST_STREAM", Peer::client, get(1).append(reset_frame(1, 8)),
       accepted("closed 1\n  reset by the peer")},
      {"5.1 closed by the peer's reset: DATA on its way", Peer::client,
       open_post(1).append(reset_frame(1, 8)).append(data_frame(1, "late")), accepted("closed 1")},
      {"5.1 closed: WINDOW_UPDATE", Peer::served, get(1).append(window_frame(1, 10)), accepted("closed 1\n  complete")},
      {"5.1 closed: RST_STREAM", Peer::served, get(1).append(reset_frame(1, 0)), accepted("ended 1")},
      {"5.1 closed: PRIORITY", Peer::served, get(1).append(frame(priority, 0, 1, big_endian(0, 4).append("\x10"))),
       accepted("closed 1\n  complete")},
      {"5.1.1 stream 0 for a request", Peer::client, get(0), ends(protocol_error)},
      {"5.1.1 an even number of a client", Peer::client, get(2), ends(protocol_error)},
      {"5.1.1 numbers may leave gaps", Peer::client, get(5).append(get(101)), accepted("opened 101")},
      {"5.1.1 the largest number", Peer::client, get(0x7fff'ffffU), accepted("opened 2147483647")},
      {"5.1.2 as many streams as allowed", Peer::client, many_gets(100), accepted("ended 199")},
      {"5.1.2 one stream more than allowed", Peer::client, many_gets(101), ends(protocol_error)},
      {"5.1.2 one stream more than allowed, by a peer that may not know yet", Peer::unsettled, many_gets(101),
       resets(201, refused_stream)},
      {"5.2.1 a stream's window is used up", Peer::unread, sized_post(1, 40'000).append(full_data(1, 2)),
       accepted("\r\n\r\nxxxx")},
      {"5.2.1 more than a stream's window", Peer::unread,
       open_post(1).append(full_data(1, 2)).append(data_frame(1, "x")), resets(1, flow_control_error)},
      {"5.2.1 more than the connection's window", Peer::unread,
       open_post(1).append(open_post(3)).append(full_data(1, 2)).append(full_data(3, 2)), ends(flow_control_error)},
      {"5.2.1 what is consumed may be sent again", Peer::client, open_post(1).append(full_data(1, 1)),
       answered({window_update, 0, 1, {}})},
      {"5.2.2 padding counts, and is consumed at once", Peer::unread,
       sized_post(1, 40'000).append(padding(1, 100)).append(full_data(1, 1)), accepted("\r\n\r\nxxxx")},
      {"5.3.2 HEADERS with a priority", Peer::client,
       frame(headers, flag::whole | flag::priority, 1, big_endian(0, 4).append("\x0f").append(block(request_fields()))),
       accepted("ended 1")},
      {"5.3.2 HEADERS with an exclusive priority below an unknown stream", Peer::client,
       frame(headers, flag::whole | flag::priority, 1,
             big_endian(0x8000'0063U, 4).append("\xff").append(block(request_fields()))),
       accepted("ended 1")},
      {"5.5 PRIORITY_UPDATE of RFC 9218", Peer::client, frame(0x10, 0, 0, big_endian(1, 4).append("u=1")), ignored()},
      {"5.5 ORIGIN and ALTSVC of a client", Peer::client,
       frame(0xc, 0, 0, big_endian(1, 2).append("a")).append(frame(0xa, 0, 0, big_endian(1, 2).append("ab"))),
       ignored()},
  };
}

}  // namespace

std::vector<Conformance> framing_rows() {
  std::vector<Conformance> rows = preface_rows();
  for (auto part : {format_rows, state_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace lunar::test
