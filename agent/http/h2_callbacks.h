// Between nghttp2 and H2Session. nghttp2 does framing, HPACK, stream states, flow control and settings; what the fields
// of a message mean is decided by h2_fields alone, so that there is one set of rules.
#pragma once

#include <nghttp2/nghttp2.h>

#include "agent/http/h2_session.h"

namespace lunar::http {

struct H2Callbacks {
  // nullptr where memory is short. `session` is called, and its frame_memory_ used, until the result is deleted.
  [[nodiscard]] static nghttp2_session* new_session(H2Session* session);

  // Asks H2Session::on_read how much of a message there is, and lets on_send write it.
  [[nodiscard]] static nghttp2_data_provider payload();

 private:
  static H2Session& self(void* user) { return *static_cast<H2Session*>(user); }
  static int failed(void* user) { return self(user).over() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0; }
  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_invalid_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, int error, void* user);
  static int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t code, void* user);
  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static void set_options(nghttp2_option* option, const H2Limits& limits);
  static void set_callbacks(nghttp2_session_callbacks* callbacks);
};

}  // namespace lunar::http
