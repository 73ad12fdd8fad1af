// What the peer sends: fields and DATA become HTTP/1.1 bytes for the owner.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "agent/http/h2_callbacks.h"
#include "agent/http/h2_scratch.h"

namespace lunar::http {

using Kind = BodyFraming::Kind;

void H2Session::on_block_begin() {
  block_.clear();
  block_size_ = 0;
}

void H2Session::on_field(std::string_view name, std::string_view value) {
  block_size_ += list_size(name, value);
  if (block_size_ <= options_.limits.header_list) {
    block_.add(name, value);
  } else if (block_size_ > options_.limits.header_list * options_.limits.header_list_factor) {
    abort(H2Code::enhance_your_calm, "a header list is far too large");
  }
}

void H2Session::on_block_end(int32_t number, bool ended) {
  H2Stream* stream = numbered(number);
  if (stream != nullptr && stream->closed) return on_block_begin();
  if (block_size_ > options_.limits.header_list) {
    refuse_block(number, stream, H2Code::enhance_your_calm, "a header list is too large");
  } else if (stream == nullptr) {
    if (role_ == Role::server) receive_request(number, ended);
  } else if (role_ == Role::client && !stream->head_received) {
    receive_response(*stream, ended);
  } else {
    receive_trailers(*stream, ended);
  }
  on_block_begin();
}

// `stream` is nullptr where none has been opened.
void H2Session::refuse_block(int32_t number, H2Stream* stream, H2Code code, const char* reason) {
  count_abort();
  if (over_) return;
  if (stream != nullptr) return break_stream(*stream, code, reason);
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, number, static_cast<uint32_t>(code));
}

void H2Session::count_abort() {
  if (auto verdict = meter_.stream_aborted()) abort(verdict->code, verdict->reason);
}

void H2Session::malformed(H2Stream& stream, const char* reason) {
  refuse_block(stream.number, &stream, H2Code::protocol_error, reason);
}

void H2Session::receive_request(int32_t number, bool ended) {
  H2Exchange exchange;
  H1Head& head = h2_scratch().incoming;
  auto id = static_cast<StreamId>(number);
  H2RequestRules rules{options_.extended_connect, options_.websocket_nonce + id};
  if (const char* fault = request_to_h1(block_.fields(), ended, rules, exchange, head))
    return refuse_block(number, nullptr, H2Code::protocol_error, fault);
  if (head.grpc && !options_.grpc) return refuse_block(number, nullptr, H2Code::http_1_1_required, "gRPC by HTTP/1.1");
  H2Stream& stream = add_stream(id);
  stream.number = number;
  stream.exchange = std::move(exchange);
  stream.framing = head.framing;
  stream.head_received = true;
  stream.unread = head.text.size();
  events_.opened(id, head.text);
  if (ended && !stream.closed) receive_end(stream, {});
}

void H2Session::receive_response(H2Stream& stream, bool ended) {
  H1Head& head = h2_scratch().incoming;
  if (const char* fault = response_to_h1(block_.fields(), ended, stream.exchange, head))
    return malformed(stream, fault);
  if (head.interim && ++stream.interims > options_.limits.interim_responses)
    return refuse_block(stream.number, &stream, H2Code::enhance_your_calm, "too many interim responses");
  stream.framing = head.framing;
  stream.head_received = !head.interim;
  if (deliver(stream, head.text) && ended) receive_end(stream, {});
}

void H2Session::receive_trailers(H2Stream& stream, bool ended) {
  if (!ended) return malformed(stream, "a second head");
  if (stream.exchange.tunnel != H2Exchange::Tunnel::none && stream.framing.kind == Kind::until_close)
    return malformed(stream, "HEADERS in a tunnel");
  std::string lines;
  if (const char* fault = trailers_to_h1(block_.fields(), lines)) return malformed(stream, fault);
  receive_end(stream, lines);
}

void H2Session::on_end_of_data(int32_t number) {
  H2Stream* stream = numbered(number);
  if (stream != nullptr && !stream->closed) receive_end(*stream, {});
}

void H2Session::receive_end(H2Stream& stream, std::string_view trailers) {
  if (role_ == Role::client && !stream.head_received) return malformed(stream, "the response ends before its head");
  if (stream.framing.kind == Kind::content_length && stream.payload != stream.framing.length)
    return malformed(stream, "less DATA than content-length");
  stream.end_received = true;
  if (stream.left) return;
  if (stream.framing.kind == Kind::chunked) {
    bool open = deliver(stream, "0\r\n") && (trailers.empty() || deliver(stream, trailers)) && deliver(stream, "\r\n");
    if (!open) return;
  }
  events_.ended(stream.id);
}

namespace {

const char* payload_fault(const H2Stream& stream) {
  if (!stream.head_received) return "DATA before the head of the response";
  if (stream.framing.kind == Kind::none) return "DATA for a message without a body";
  bool too_much = stream.framing.kind == Kind::content_length && stream.payload > stream.framing.length;
  return too_much ? "more DATA than content-length" : nullptr;
}

}  // namespace

void H2Session::on_data(int32_t number, std::string_view bytes) {
  H2Stream* stream = numbered(number);
  if (stream == nullptr || stream->closed || stream->left) {
    nghttp2_session_consume_connection(session_.get(), bytes.size());
    return;
  }
  stream->payload += bytes.size();
  if (const char* fault = payload_fault(*stream)) {
    nghttp2_session_consume_connection(session_.get(), bytes.size());
    return malformed(*stream, fault);
  }
  stream->uncredited += bytes.size();
  deliver_payload(*stream, bytes);
}

bool H2Session::deliver_payload(H2Stream& stream, std::string_view bytes) {
  if (stream.framing.kind != Kind::chunked) return deliver(stream, bytes);
  std::array<char, 18> line;
  char* end = std::to_chars(line.data(), line.data() + 16, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  std::string_view size_line(line.data(), static_cast<size_t>(end - line.data()));
  // All three count as unread before the first is told, because the owner may consume at once.
  stream.unread += size_line.size() + bytes.size() + 2;
  for (std::string_view piece : {size_line, bytes, std::string_view("\r\n")}) {
    events_.received(stream.id, piece);
    if (stream.closed || over_) return false;
  }
  return true;
}

// False if the stream is over by what the owner did.
bool H2Session::deliver(H2Stream& stream, std::string_view bytes) {
  stream.unread += bytes.size();
  events_.received(stream.id, bytes);
  return !stream.closed && !over_;
}

void H2Session::consumed(StreamId id, size_t bytes) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->unread -= std::min<uint64_t>(bytes, stream->unread);
  if (stream->uncredited > stream->unread) {
    auto credit = static_cast<size_t>(stream->uncredited - stream->unread);
    stream->uncredited = stream->unread;
    if (stream->closed || stream->end_received)  // nobody needs the window of a stream that has ended
      nghttp2_session_consume_connection(session_.get(), credit);
    else
      nghttp2_session_consume(session_.get(), stream->number, credit);
  }
  if (stream->closed && stream->uncredited == 0) forget(*stream);
}

void H2Session::on_peer_reset(int32_t number) {
  H2Stream* stream = numbered(number);
  if (stream != nullptr) stream->reason = "reset by the peer";
}

// The library refuses a stream before it is opened; others are counted when they close.
void H2Session::on_peer_error(int32_t number) {
  if (number != 0 && numbered(number) == nullptr) count_abort();
}

}  // namespace lunar::http
