#include "agent/http/h2_callbacks.h"

#include <cstdint>
#include <cstdlib>

namespace lunar::http {
namespace {

// The most that one header block may take when sent, in compressed form; a head of ours is smaller.
constexpr size_t longest_sent_block = 4 * max_head_size;

std::string_view view(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

std::string_view view(nghttp2_rcbuf* buffer) {
  nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return view(bytes.base, bytes.len);
}

}  // namespace

void H2Callbacks::set_options(nghttp2_option* option, const H2Limits& limits) {
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);  // they would be kept for priorities alone
  nghttp2_option_set_max_reserved_remote_streams(option, 0);
  nghttp2_option_set_max_settings(option, limits.settings_entries);
  nghttp2_option_set_max_outbound_ack(option, limits.queued_frames);
  nghttp2_option_set_max_send_header_block_length(option, longest_sent_block);
  // Counted by H2Meter: resets, which the library would count with a clock of its own, and CONTINUATION, where it takes
  // each piece of a frame's first nine bytes for one more frame.
  nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
  nghttp2_option_set_max_continuations(option, SIZE_MAX);
}

// Those with more parameters than a function of ours may have are written in place.
void H2Callbacks::set_callbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback2(
      callbacks, [](auto*, auto*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, uint8_t, void* user) {
        self(user).on_field(view(name), view(value));
        return failed(user);
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](auto*, uint8_t, int32_t stream, const uint8_t* bytes, size_t size, void* user) {
        if (!self(user).over()) self(user).on_data(stream, view(bytes, size));
        return failed(user);
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(
      callbacks, [](auto*, nghttp2_frame* frame, const uint8_t* header, size_t size, auto*, void* user) {
        return self(user).on_send(frame->hd.stream_id, view(header, 9), size);
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

nghttp2_session* H2Callbacks::new_session(H2Session* session) {
  nghttp2_mem memory{
      .mem_user_data = &session->frame_memory_,
      .malloc = [](size_t bytes, void* user) { return static_cast<H2FrameMemory*>(user)->allocate(bytes); },
      .free = [](void* memory, void* user) { static_cast<H2FrameMemory*>(user)->release(memory); },
      .calloc = [](size_t count, size_t bytes, void* /*user*/) { return calloc(count, bytes); },
      .realloc = [](void* memory, size_t bytes,
                    void* user) { return static_cast<H2FrameMemory*>(user)->resize(memory, bytes); }};
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session* made = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
    set_callbacks(callbacks);
    set_options(option, session->options_.limits);
    const bool serves = session->role_ == H2Session::Role::server;
    auto create = serves ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
    if (create(&made, callbacks, session, option, &memory) != 0) made = nullptr;
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return made;
}

nghttp2_data_provider H2Callbacks::payload() {
  nghttp2_data_provider provider{};
  provider.read_callback = [](auto*, int32_t stream, uint8_t*, size_t most, uint32_t* flags, auto*, void* user) {
    return self(user).on_read(stream, most, flags);
  };
  return provider;
}

int H2Callbacks::on_begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/, void* user) {
  if (self(user).over()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  self(user).on_block_begin();
  return 0;
}

int H2Callbacks::on_frame_recv(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
  H2Session& session = self(user);
  if (session.over()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      session.on_block_end(frame->hd.stream_id, ended);
      break;
    case NGHTTP2_DATA:
      if (ended) session.on_end_of_data(frame->hd.stream_id);
      break;
    case NGHTTP2_RST_STREAM:
      session.on_peer_reset(frame->hd.stream_id);
      break;
    case NGHTTP2_SETTINGS:
      if (!ack) session.events_.peer_settings();
      break;
    case NGHTTP2_PING:
      if (ack) session.on_ping_answer(view(frame->ping.opaque_data, sizeof(frame->ping.opaque_data)));
      break;
    case NGHTTP2_GOAWAY:
      session.events_.peer_goaway({static_cast<H2Code>(frame->goaway.error_code),
                                   view(frame->goaway.opaque_data, frame->goaway.opaque_data_len)});
      break;
    default:
      break;
  }
  return failed(user);
}

int H2Callbacks::on_invalid_frame_recv(nghttp2_session* /*session*/, const nghttp2_frame* frame, int /*error*/,
                                       void* user) {
  self(user).on_peer_error(frame->hd.stream_id);
  return failed(user);
}

int H2Callbacks::on_stream_close(nghttp2_session* /*session*/, int32_t stream, uint32_t code, void* user) {
  if (!self(user).over()) self(user).on_stream_close(stream, code);
  return 0;
}

int H2Callbacks::on_frame_send(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
  if (frame->hd.type == NGHTTP2_HEADERS) self(user).on_head_sent(frame->hd.stream_id);
  const bool message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self(user).on_end_sent(frame->hd.stream_id);
  if (frame->hd.type != NGHTTP2_GOAWAY) return 0;
  self(user).on_goaway_sent(frame->goaway.error_code, view(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
  return 0;
}

}  // namespace lunar::http
