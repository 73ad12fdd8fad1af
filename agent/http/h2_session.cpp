// The life of a session: its beginning, bytes in and out, its end.
#include "agent/http/h2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "agent/http/h2_callbacks.h"
#include "agent/http/h2_preface.h"
#include "agent/http/h2_scratch.h"

namespace lunar::http {
namespace {

// What our PINGs say: eight bytes, the last four of which may name a stream.
constexpr std::string_view drain_ping = "draining";
constexpr std::string_view parting_ping = "part";

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

H2End end_of_failure(ptrdiff_t error) {
  switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      return {H2Code::protocol_error, "the connection preface is missing"};
    case NGHTTP2_ERR_FLOODED:
      return {H2Code::enhance_your_calm, "the peer does not read our answers"};
    case NGHTTP2_ERR_NOMEM:
      return {H2Code::internal_error, "out of memory"};
    default:
      return {H2Code::internal_error, nghttp2_strerror(static_cast<int>(error))};
  }
}

}  // namespace

void H2Session::Deleter::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

H2Session::H2Session(Role role, H2Options options, H2Events& events)
    : role_(role),
      options_(std::move(options)),
      events_(events),
      meter_(options_.limits, role == Role::server ? h2_preface.size() : 0, options_.now),
      frame_memory_(options_.frame_blocks),
      session_(H2Callbacks::new_session(this)) {
  if (session_ == nullptr) throw std::bad_alloc();
  submit_settings();
}

H2Session::~H2Session() = default;

void H2Session::submit_settings() {
  const H2Limits& limits = options_.limits;
  std::vector<nghttp2_settings_entry> entries{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.header_list)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  if (role_ == Role::client) {
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  } else {
    entries.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrent_streams});
    if (options_.extended_connect) entries.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  }
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits.connection_window));
}

void H2Session::feed(std::string_view bytes, H2Time now) {
  if (over_) return;
  if (auto verdict = meter_.observe(bytes, now)) {
    abort(verdict->code, verdict->reason);
    return settle();
  }
  lend_block();
  ptrdiff_t used = nghttp2_session_mem_recv(session_.get(), bytes_of(bytes), bytes.size());
  lend_block();
  if (used < 0) {
    H2End end = end_of_failure(used);
    abort(end.code, end.reason);
  } else if (nghttp2_session_get_outbound_queue_size(session_.get()) > options_.limits.queued_frames) {
    abort(H2Code::enhance_your_calm, "the peer does not read our answers");
  }
  settle();
}

// Between two calls of feed() only a header block that is not complete needs memory.
void H2Session::lend_block() {
  if (block_size_ == 0) std::swap(block_, h2_scratch().block);
}

size_t H2Session::pull(std::span<char> out) {
  out_ = out;
  written_ = 0;
  while (written_ < out_.size() && (!leftover_.empty() || next_frame())) {
    size_t size = std::min(leftover_.size(), out_.size() - written_);
    memcpy(out_.data() + written_, leftover_.data(), size);
    leftover_.remove_prefix(size);
    written_ += size;
  }
  if (leftover_.empty()) spilled_ = {};
  settle();
  return written_;
}

bool H2Session::next_frame() {
  if (silent_) return false;
  const uint8_t* bytes = nullptr;
  ptrdiff_t size = nghttp2_session_mem_send(session_.get(), &bytes);
  if (size < 0 && !over_) {
    H2End end = end_of_failure(size);
    abort(end.code, end.reason);
    return next_frame();
  }
  if (size <= 0 && !leftover_.empty()) return true;  // a DATA frame that was spilled
  if (size <= 0) {
    silent_ = size < 0 || (over_ && nghttp2_session_want_write(session_.get()) == 0);
    return false;
  }
  leftover_ = {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
  return true;
}

bool H2Session::has_output() const {
  if (!leftover_.empty()) return true;
  return !silent_ && nghttp2_session_want_write(session_.get()) != 0;
}

// The GOAWAY of abort(), or of an error that the library has found.
void H2Session::on_goaway_sent(uint32_t code, std::string_view reason) {
  if (over_) {
    silent_ = static_cast<H2Code>(code) == over_code_;
  } else if (code != NGHTTP2_NO_ERROR) {
    silent_ = true;
    announce_over({static_cast<H2Code>(code), reason.empty() ? "the peer broke a rule of HTTP/2" : reason});
  }
}

void H2Session::abort(H2Code code, std::string_view reason) {
  if (over_) return;
  int32_t last = role_ == Role::server ? nghttp2_session_get_last_proc_stream_id(session_.get()) : 0;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last, static_cast<uint32_t>(code), bytes_of(reason),
                        reason.size());
  announce_over({code, reason});
}

void H2Session::announce_over(const H2End& end) {
  over_ = true;
  over_code_ = end.code;
  std::vector<StreamId> ids;
  for (const auto& [id, stream] : streams_)
    if (!stream->closed) ids.push_back(id);
  for (StreamId id : ids) {
    H2Stream* stream = find(id);
    if (stream == nullptr) continue;  // reset by the owner meanwhile
    mark_closed(*stream);
    if (!stream->left) events_.closed(id, stream->number == 0 ? H2End{H2Code::refused_stream, end.reason} : end);
  }
  events_.over(end);
}

void H2Session::drain() {
  if (over_) return;
  const bool again = std::exchange(draining_, true);
  if (role_ == Role::client) {
    if (!again) nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  } else if (again) {
    on_ping_answer(drain_ping);
  } else {
    nghttp2_submit_shutdown_notice(session_.get());
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, bytes_of(drain_ping));
  }
}

void H2Session::on_ping_answer(std::string_view payload) {
  if (payload.starts_with(parting_ping)) {
    int32_t number = 0;
    memcpy(&number, payload.data() + parting_ping.size(), sizeof(number));
    H2Stream* stream = numbered(number);
    if (stream != nullptr && stream->parting) reset(*stream, *stream->parting);
    return;
  }
  // What was sent before the peer has seen the notice is here by now.
  if (!draining_ || over_ || role_ != Role::server || payload != drain_ping) return;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_.get()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Session::settle() {
  if (!over_ && starved_ != 0) tell_writable();
  bool finished = nghttp2_session_want_read(session_.get()) == 0 && !has_output();
  if (!over_ && finished) {
    silent_ = true;
    announce_over({H2Code::no_error, "no stream is left after GOAWAY"});
  }
  forgotten_.clear();
}

void H2Session::tell_writable() {
  std::vector<StreamId> ids;
  for (const auto& [id, stream] : streams_)
    if (stream->starved) ids.push_back(id);
  for (StreamId id : ids) {
    H2Stream* stream = find(id);
    if (stream == nullptr || !stream->starved || room(id) == 0) continue;
    stream->starved = false;
    --starved_;
    events_.writable(id);
  }
}

bool H2Session::peer_offers_extended_connect() const {
  return nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

H2Stream* H2Session::find(StreamId id) const {
  if (recent_ != nullptr && recent_->id == id) return recent_;
  const std::unique_ptr<H2Stream>* found = streams_.find(id);
  return found == nullptr ? nullptr : recent_ = found->get();
}

// The library keeps the name of a client's stream in the place of a pointer, so that nothing there can dangle.
H2Stream* H2Session::numbered(int32_t number) const {
  if (number != 0 && recent_ != nullptr && recent_->number == number) return recent_;
  if (role_ == Role::server) return find(static_cast<StreamId>(number));
  void* user = nghttp2_session_get_stream_user_data(session_.get(), number);
  return find(static_cast<StreamId>(reinterpret_cast<uintptr_t>(user)));
}

H2Stream& H2Session::add_stream(StreamId id) {
  ++open_streams_;
  return *streams_.add(id, std::make_unique<H2Stream>(id));
}

void H2Session::mark_closed(H2Stream& stream) {
  if (std::exchange(stream.closed, true)) return;
  --open_streams_;
  if (std::exchange(stream.starved, false)) --starved_;
  drop_output(stream);
}

void H2Session::forget(H2Stream& stream) {
  if (std::exchange(stream.forgotten, true)) return;
  mark_closed(stream);
  if (stream.uncredited != 0)
    nghttp2_session_consume_connection(session_.get(), static_cast<size_t>(stream.uncredited));
  if (recent_ == &stream) recent_ = nullptr;
  forgotten_.push_back(streams_.take(stream.id));
}

// Ends a stream that is open, because of one of both messages.
void H2Session::break_stream(H2Stream& stream, H2Code code, const char* reason) {
  if (stream.number != 0)
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.number, static_cast<uint32_t>(code));
  mark_closed(stream);
  if (!stream.left) events_.closed(stream.id, {code, reason});
  if (stream.uncredited == 0) forget(stream);
}

void H2Session::on_head_sent(int32_t number) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr) return;
  stream->on_wire = true;
  if (stream->heads_unsent > 0) --stream->heads_unsent;
}

void H2Session::on_end_sent(int32_t number) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr) return;
  stream->end_sent = true;
  if (stream->parting) part(*stream);
}

// Some clients lose an answer with which a reset arrives: it waits until they have seen the answer.
void H2Session::part(const H2Stream& stream) {
  std::array<char, 8> payload{};
  parting_ping.copy(payload.data(), parting_ping.size());
  memcpy(payload.data() + parting_ping.size(), &stream.number, sizeof(stream.number));
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, bytes_of({payload.data(), payload.size()}));
}

void H2Session::on_stream_close(int32_t number, uint32_t code) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr || stream->closed) return;
  H2End end{static_cast<H2Code>(code), "complete"};
  if (role_ == Role::client && !stream->on_wire) end.code = H2Code::refused_stream;
  if (stream->reason != nullptr) {
    end.reason = stream->reason;
  } else if (end.code == H2Code::refused_stream) {
    end.reason = "not processed by the peer";
  } else if (end.code != H2Code::no_error) {
    end.reason = "the peer broke a rule of HTTP/2";
    count_abort();
    if (over_) return;
  }
  mark_closed(*stream);
  if (!stream->left) events_.closed(stream->id, end);
  if (stream->uncredited == 0) forget(*stream);
}

}  // namespace lunar::http
