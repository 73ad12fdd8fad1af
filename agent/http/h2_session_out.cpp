// What the owner provides: HTTP/1.1 bytes become fields and DATA.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "agent/http/h2_callbacks.h"
#include "agent/http/h2_scratch.h"

namespace lunar::http {
namespace {

using Kind = BodyFraming::Kind;

// DATA below this size, while more is waiting, is the work of a tiny window.
constexpr size_t small_data = 256;

// With its header, a frame fits into a buffer and a TLS record of 16 KiB.
constexpr size_t largest_data = 16 * 1024 - 9;

nghttp2_nv pair_of(const H2Field& field) {
  auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(field.name), bytes(field.value), field.name.size(), field.value.size(), NGHTTP2_NV_FLAG_NONE};
}

// Until the next call on this thread.
std::span<const nghttp2_nv> pairs_of(const H2FieldBlock& block) {
  std::vector<nghttp2_nv>& pairs = h2_scratch().pairs;
  pairs.clear();
  block.for_each([&pairs](const H2Field& field) { pairs.push_back(pair_of(field)); });
  return pairs;
}

}  // namespace

H2Code H2Session::own_fault() const { return role_ == Role::server ? H2Code::internal_error : H2Code::cancel; }

bool H2Session::can_open() const {
  if (role_ != Role::client || over_ || draining_) return false;
  uint32_t allowed = nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return nghttp2_session_check_request_allowed(session_.get()) != 0 &&
         open_streams_ < std::min(allowed, options_.limits.concurrent_streams);
}

StreamId H2Session::open() {
  if (!can_open()) return 0;
  return add_stream(++last_id_).id;
}

size_t H2Session::room(StreamId id) const {
  const H2Limits& limits = options_.limits;
  const H2Stream* stream = find(id);
  if (stream == nullptr || stream->closed || over_) return 0;
  if (nghttp2_session_get_outbound_queue_size(session_.get()) >= limits.queued_frames) return 0;
  size_t most = output_ < limits.session_output ? limits.stream_output : limits.minimum_output;
  if (!stream->head_provided) most = max_head_size;
  return most - std::min(most, stream->waiting());
}

size_t H2Session::provide(StreamId id, std::string_view bytes) {
  H2Stream* stream = find(id);
  if (stream == nullptr || stream->closed || stream->end_provided || over_) return bytes.size();
  std::string_view rest = bytes;
  while (!stream->closed && !stream->end_provided) {
    std::string_view piece = rest.substr(0, room(id));
    if (piece.empty()) break;
    rest.remove_prefix(stream->head_provided ? take_body(*stream, piece) : take_head(*stream, piece));
  }
  if (stream->closed || stream->end_provided) return bytes.size();
  if (!rest.empty() && !std::exchange(stream->starved, true)) ++starved_;
  return bytes.size() - rest.size();
}

size_t H2Session::take_head(H2Stream& stream, std::string_view bytes) {
  const size_t known = stream.head.size();
  const size_t whole = known == 0 ? find_head_end(bytes, 0) : std::string::npos;
  if (whole != std::string::npos) {
    submit_head(stream, bytes.substr(0, whole));
    return whole;
  }
  stream.head.append(bytes);
  output_ += bytes.size();
  const size_t end = find_head_end(stream.head, known);
  if (end == std::string::npos) {
    if (stream.head.size() >= max_head_size) break_stream(stream, own_fault(), "head above 64 KiB");
    return bytes.size();
  }
  output_ -= stream.head.size();
  const std::string head = std::exchange(stream.head, {});
  submit_head(stream, std::string_view(head).substr(0, end));
  return end - known;
}

void H2Session::submit_head(H2Stream& stream, std::string_view head) {
  if (role_ == Role::client && nghttp2_session_check_request_allowed(session_.get()) == 0) {
    break_stream(stream, H2Code::refused_stream, "the peer takes no new streams");
  } else if (const char* fault = role_ == Role::server ? submit_response(stream, head) : submit_request(stream, head)) {
    break_stream(stream, own_fault(), fault);
  }
}

const char* H2Session::submit_response(H2Stream& stream, std::string_view text) {
  RequestContext context{.head = stream.exchange.head,
                         .connect = stream.exchange.tunnel == H2Exchange::Tunnel::connect};
  ResponseHead head;
  if (parse_response_head(text, context, head) != ParseState::complete) return head.fault;
  H2FieldBlock& fields = h2_scratch().outgoing;
  fields.clear();
  BodyFraming framing;
  if (const char* fault = response_to_h2(head, stream.exchange, fields, framing)) return fault;
  return submit(stream, fields, framing, head.interim());
}

const char* H2Session::submit_request(H2Stream& stream, std::string_view text) {
  RequestHead head;
  if (parse_request_head(text, head) != ParseState::complete) return head.fault;
  H2FieldBlock& fields = h2_scratch().outgoing;
  fields.clear();
  BodyFraming framing;
  H2PeerRules rules{options_.scheme, options_.extended_connect && peer_offers_extended_connect()};
  if (const char* fault = request_to_h2(head, rules, stream.exchange, fields, framing)) return fault;
  return submit(stream, fields, framing, false);
}

const char* H2Session::submit(H2Stream& stream, const H2FieldBlock& block, const BodyFraming& framing, bool interim) {
  const std::span<const nghttp2_nv> fields = pairs_of(block);
  nghttp2_data_provider payload = H2Callbacks::payload();
  const nghttp2_data_provider* body = framing.kind == Kind::none ? nullptr : &payload;
  int result = 0;
  if (interim) {
    result = nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream.number, nullptr, fields.data(),
                                    fields.size(), nullptr);
  } else if (role_ == Role::server) {
    result = nghttp2_submit_response(session_.get(), stream.number, fields.data(), fields.size(), body);
  } else {
    void* user = reinterpret_cast<void*>(static_cast<uintptr_t>(stream.id));
    result = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), body, user);
    stream.number = std::max(result, 0);
  }
  if (result < 0) return nghttp2_strerror(result);
  ++stream.heads_unsent;
  if (!interim) body_begins(stream, framing);
  return nullptr;
}

void H2Session::body_begins(H2Stream& stream, const BodyFraming& framing) {
  stream.head_provided = true;
  stream.intake = BodyIntake(framing);
  stream.end_provided = stream.intake.done();
}

size_t H2Session::take_body(H2Stream& stream, std::string_view bytes) {
  size_t before = stream.output.size();
  size_t used = stream.intake.take(bytes, stream.output);
  output_ += stream.output.size() - before;
  if (stream.intake.malformed()) {
    break_stream(stream, own_fault(), stream.intake.fault());
    return bytes.size();
  }
  stream.end_provided = stream.intake.done();
  resume(stream);
  return used;
}

void H2Session::resume(H2Stream& stream) {
  bool something = stream.output_begin < stream.output.size() || stream.end_provided;
  if (!stream.deferred || !something) return;
  stream.deferred = false;
  nghttp2_session_resume_data(session_.get(), stream.number);
}

void H2Session::finish(StreamId id) {
  H2Stream* stream = find(id);
  if (stream == nullptr || stream->closed || stream->end_provided || over_) return;
  if (!stream->head_provided || !stream->intake.complete_at_close())
    return break_stream(*stream, own_fault(), "the message was cut short");
  stream->end_provided = true;
  resume(*stream);
}

bool H2Session::complete(StreamId id) const {
  const H2Stream* stream = find(id);
  return stream == nullptr || (stream->end_provided && stream->end_received);
}

size_t H2Session::unsent(StreamId id) const {
  const H2Stream* stream = find(id);
  return stream == nullptr || stream->closed ? 0 : stream->waiting() + stream->heads_unsent;
}

void H2Session::reset(H2Stream& stream, H2Code code) {
  if (!stream.closed && stream.number != 0 && !over_)
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.number, static_cast<uint32_t>(code));
  forget(stream);
}

void H2Session::leave(StreamId id) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->left = true;
  if (!stream->end_provided || (role_ == Role::client && !stream->received_all())) return reset(*stream, own_fault());
  if (!stream->received_all()) return leave(id, H2Code::no_error);
  consumed(id, std::numeric_limits<size_t>::max());
}

void H2Session::leave(StreamId id, H2Code code) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->left = true;
  if (role_ == Role::client || !stream->end_provided || stream->closed) return reset(*stream, code);
  stream->parting = code;
  if (stream->end_sent) part(*stream);
  consumed(id, std::numeric_limits<size_t>::max());
}

ptrdiff_t H2Session::on_read(int32_t number, size_t most, uint32_t* flags) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr || stream->closed || over_) return NGHTTP2_ERR_DEFERRED;
  size_t waiting = stream->output.size() - stream->output_begin;
  size_t size = std::min({waiting, most, largest_data});
  if (size == 0 && !stream->end_provided) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (size != 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size == waiting && stream->end_provided) end_output(*stream, flags);
  return static_cast<ptrdiff_t>(size);
}

// The frame goes right into the owner's buffer. Where that is too small for any such frame, it goes there in pieces.
int H2Session::on_send(int32_t number, std::string_view header, size_t size) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr || stream->closed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  std::string_view payload(stream->output.data() + stream->output_begin, size);
  bool fits = header.size() + size <= out_.size() - written_;
  if (!fits && written_ != 0) return NGHTTP2_ERR_WOULDBLOCK;
  if (fits) {
    memcpy(out_.data() + written_, header.data(), header.size());
    memcpy(out_.data() + written_ + header.size(), payload.data(), size);
    written_ += header.size() + size;
  } else {
    leftover_ = spilled_.assign(header).append(payload);
  }
  take_output(*stream, size);
  return fits ? 0 : NGHTTP2_ERR_PAUSE;
}

void H2Session::take_output(H2Stream& stream, size_t size) {
  bool cut_small = size < small_data && stream.output.size() - stream.output_begin > size;
  stream.output_begin += size;
  stream.sent += size;
  output_ -= size;
  if (stream.output_begin == stream.output.size()) {
    stream.output.clear();
    stream.output_begin = 0;
  } else if (stream.output_begin >= stream.output.size() / 2) {
    stream.output.erase(0, stream.output_begin);
    stream.output_begin = 0;
  }
  if (auto verdict = meter_.data_sent(size, cut_small)) abort(verdict->code, verdict->reason);
}

void H2Session::end_output(H2Stream& stream, uint32_t* flags) {
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  std::string_view lines = stream.intake.trailers();
  H2FieldBlock block;
  if (lines.empty() || trailers_to_h2(lines, block) != nullptr || block.fields().empty()) return;
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  const std::span<const nghttp2_nv> fields = pairs_of(block);
  ++stream.heads_unsent;
  nghttp2_submit_trailer(session_.get(), stream.number, fields.data(), fields.size());
}

void H2Session::drop_output(H2Stream& stream) {
  output_ -= stream.waiting();
  stream.head = {};
  stream.output = {};
  stream.output_begin = 0;
}

bool H2Session::window_shut() const { return nghttp2_session_get_remote_window_size(session_.get()) <= 0; }

bool H2Session::blocked(StreamId id) const {
  const H2Stream* stream = find(id);
  if (stream == nullptr || stream->closed || stream->output_begin == stream->output.size()) return false;
  return window_shut() || nghttp2_session_get_stream_remote_window_size(session_.get(), stream->number) <= 0;
}

uint64_t H2Session::sent(StreamId id) const {
  const H2Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->sent;
}

}  // namespace lunar::http
