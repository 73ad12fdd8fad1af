// What one HTTP/2 peer may cost. Whoever goes beyond ends its session with ENHANCE_YOUR_CALM, unless it says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/http/head.h"

namespace lunar::http {

// A bucket that holds `burst`, and fills at `per_second`.
struct H2Rate {
  uint32_t burst;
  uint32_t per_second;
};

struct H2Limits {
  // Offered to the peer and enforced by the protocol itself.
  uint32_t concurrent_streams = 100;    // further ones: REFUSED_STREAM, then PROTOCOL_ERROR
  uint32_t stream_window = 256 * 1024;  // bytes that a peer may send before the owner consumes them
  // The same over all streams: as much as they have together, so that none can starve another. At least 65,535.
  uint32_t connection_window = concurrent_streams * stream_window;
  size_t header_list = max_head_size;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts; above: the stream ends
  size_t header_list_factor = 4;       // above that many times header_list: the session ends

  // Per frame.
  uint32_t continuations = 16;     // CONTINUATION frames behind one HEADERS
  uint32_t settings_entries = 32;  // of one SETTINGS frame

  // Per time. DATA in either direction refills pings and idle_frames by one a KiB, because both rightly come with it.
  H2Rate aborted_streams{1000, 100};  // RST_STREAM of the peer, and streams that it makes us reset
  H2Rate settings{100, 10};
  H2Rate pings{1000, 100};
  H2Rate idle_frames{10'000, 1000};  // frames that bring no message on: WINDOW_UPDATE, PRIORITY, unknown, empty ones,
                                     // and DATA that we must cut small because the peer's window is tiny
  uint32_t interim_responses = 64;   // 1xx of one stream; above: the stream ends

  // What waits because the peer does not read.
  size_t stream_output = 64 * 1024;     // bytes provided and not sent, of a stream
  size_t session_output = 1024 * 1024;  // of all; from there on, a stream may hold minimum_output
  size_t minimum_output = 4 * 1024;     // so that streams with shut windows do not starve the others
  size_t queued_frames = 1000;          // frames that wait beside DATA
};

}  // namespace lunar::http
