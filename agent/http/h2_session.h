// One HTTP/2 connection as a pure machine: bytes of the peer in, bytes for the peer out. Every stream is presented as
// one exchange of HTTP/1.1 messages, each a stream of bytes, so that whoever carries HTTP/1 carries HTTP/2.
//
// Bounded: what a peer sends is held back by flow control until the owner has consumed it; what the owner provides, by
// room(); what neither covers, by H2Limits. Not for several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http/h2_events.h"
#include "agent/http/h2_field_block.h"
#include "agent/http/h2_frame_memory.h"
#include "agent/http/h2_limits.h"
#include "agent/http/h2_meter.h"
#include "agent/http/h2_stream.h"
#include "agent/http/h2_stream_map.h"

struct nghttp2_session;

namespace lunar::http {

struct H2Options {
  H2Limits limits;
  std::string scheme = "https";  // client role: of requests in origin form
  bool extended_connect = true;  // server role: offer RFC 8441; client role: use it where it is offered
  bool grpc = true;  // server role: else its requests are refused with HTTP_1_1_REQUIRED, for they go on by HTTP/1.1
  H2FrameBlocks frame_blocks;
  uint64_t websocket_nonce = 0;  // server role: where the keys of WebSockets begin; should differ between sessions
  H2Time now{};                  // of the same clock as feed()
};

class H2Session {
 public:
  enum class Role : uint8_t { server, client };

  // `events` outlives the session.
  H2Session(Role role, H2Options options, H2Events& events);
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;
  ~H2Session();  // tells nothing any more

  // Takes all bytes. What they cause to be sent waits for pull().
  void feed(std::string_view bytes, H2Time now);

  // Writes what is to be sent; returns how many bytes, 0 if there is nothing now; less than fits does not mean that
  // there is no more. A buffer of 16 KiB takes every DATA frame without a further copy. A session that nghttp2 ends
  // because of a protocol error is over when its GOAWAY is pulled.
  [[nodiscard]] size_t pull(std::span<char> out);
  [[nodiscard]] bool has_output() const;

  // Client role: a stream for a request, or 0 where can_open() is false.
  [[nodiscard]] StreamId open();
  [[nodiscard]] bool can_open() const;

  // Takes the next bytes of the owner's HTTP/1.1 message (interim heads, head, body, trailers), at most room() of them;
  // returns how many. Where it leaves some, writable() follows. Bytes behind the message, and for a stream that is
  // over, are taken and dropped. A message that breaks HTTP/1.1 ends the stream.
  [[nodiscard]] size_t provide(StreamId stream, std::string_view bytes);
  [[nodiscard]] size_t room(StreamId stream) const;
  // The owner's bytes end here: needed where only that ends the message, else it changes nothing. An incomplete message
  // is a reset.
  void finish(StreamId stream);

  // The owner has gone: no event of the stream follows. What it has provided is sent if it is complete. Where the
  // peer's message is complete as well, but perhaps for END_STREAM, the stream ends as it would; else it is reset, with
  // no_error when the peer has seen a complete response.
  void leave(StreamId stream);
  // The same because of a failure, which `code` names: reset at once, or when the peer has seen a complete response.
  void leave(StreamId stream, H2Code code);

  // So many bytes of what opened() and received() gave, or all, are out of the owner's memory: the peer may send as
  // many more.
  void consumed(StreamId stream, size_t bytes);

  // Both messages are; what of the owner's has not been sent yet will be. True for a stream that is not known.
  [[nodiscard]] bool complete(StreamId stream) const;
  // What was provided and waits for pull(), roughly in bytes.
  [[nodiscard]] size_t unsent(StreamId stream) const;

  // Ends gracefully: no new streams, those that are open end as they would. A server first announces it and waits a
  // round trip for requests that are on their way (RFC 9113 §6.8); called again, it waits no longer. over() follows.
  void drain();

  // Ends now: GOAWAY with this code and text, every stream closed(), then over().
  void abort(H2Code code, std::string_view reason);

  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] size_t streams() const { return open_streams_; }
  [[nodiscard]] bool peer_offers_extended_connect() const;

  [[nodiscard]] bool window_shut() const;  // the peer takes no payload of any stream at the moment
  // For timeouts of the owner: payload bytes waiting while the peer's window is shut, and payload bytes that have left.
  [[nodiscard]] bool blocked(StreamId stream) const;
  [[nodiscard]] uint64_t sent(StreamId stream) const;

 private:
  friend struct H2Callbacks;  // nghttp2 calls the functions named on_…
  struct Deleter {
    void operator()(nghttp2_session* session) const;
  };

  void on_block_begin();
  void on_field(std::string_view name, std::string_view value);
  void on_block_end(int32_t number, bool ended);
  void on_data(int32_t number, std::string_view bytes);
  void on_end_of_data(int32_t number);
  void on_peer_reset(int32_t number);
  void on_peer_error(int32_t number);
  void on_stream_close(int32_t number, uint32_t code);
  void on_ping_answer(std::string_view payload);
  void on_head_sent(int32_t number);
  void on_end_sent(int32_t number);
  void on_goaway_sent(uint32_t code, std::string_view reason);
  ptrdiff_t on_read(int32_t number, size_t most, uint32_t* flags);
  int on_send(int32_t number, std::string_view header, size_t size);

  void submit_settings();
  void lend_block();
  void settle();
  bool next_frame();
  void announce_over(const H2End& end);
  void tell_writable();

  [[nodiscard]] H2Stream* find(StreamId id) const;
  [[nodiscard]] H2Stream* numbered(int32_t number) const;
  H2Stream& add_stream(StreamId id);
  void mark_closed(H2Stream& stream);
  void forget(H2Stream& stream);
  void reset(H2Stream& stream, H2Code code);
  void part(const H2Stream& stream);
  void break_stream(H2Stream& stream, H2Code code, const char* reason);
  void count_abort();

  void refuse_block(int32_t number, H2Stream* stream, H2Code code, const char* reason);
  void receive_request(int32_t number, bool ended);
  void receive_response(H2Stream& stream, bool ended);
  void receive_trailers(H2Stream& stream, bool ended);
  void receive_end(H2Stream& stream, std::string_view trailers);
  bool deliver(H2Stream& stream, std::string_view bytes);
  bool deliver_payload(H2Stream& stream, std::string_view bytes);
  void malformed(H2Stream& stream, const char* reason);

  size_t take_head(H2Stream& stream, std::string_view bytes);
  size_t take_body(H2Stream& stream, std::string_view bytes);
  void submit_head(H2Stream& stream, std::string_view head);
  const char* submit_response(H2Stream& stream, std::string_view text);
  const char* submit_request(H2Stream& stream, std::string_view text);
  const char* submit(H2Stream& stream, const H2FieldBlock& block, const BodyFraming& framing, bool interim);
  void body_begins(H2Stream& stream, const BodyFraming& framing);
  void resume(H2Stream& stream);
  void take_output(H2Stream& stream, size_t size);
  void end_output(H2Stream& stream, uint32_t* flags);
  void drop_output(H2Stream& stream);
  [[nodiscard]] H2Code own_fault() const;

  Role role_;
  H2Options options_;
  H2Events& events_;
  H2Meter meter_;
  H2FrameMemory frame_memory_;
  std::unique_ptr<nghttp2_session, Deleter> session_;
  std::span<char> out_;        // of pull(), while it runs
  size_t written_ = 0;         // into it
  std::string_view leftover_;  // of the frame that came last: the library's, until it is asked again, or spilled_
  std::string spilled_;        // a DATA frame larger than the buffer of pull()

  H2StreamMap<std::unique_ptr<H2Stream>> streams_;
  std::vector<std::unique_ptr<H2Stream>> forgotten_;  // until nothing on the stack can refer to them
  mutable H2Stream* recent_ = nullptr;                // of streams_: several questions in a row are about the same one
  size_t open_streams_ = 0;                           // of streams_, those not closed
  StreamId last_id_ = 0;                              // client role
  size_t output_ = 0;                                 // bytes that wait in all streams
  size_t starved_ = 0;

  H2FieldBlock block_;  // the header block that is coming in: there is one at a time
  size_t block_size_ = 0;

  bool draining_ = false;
  bool over_ = false;
  H2Code over_code_ = H2Code::no_error;
  bool silent_ = false;  // the last frame has been given out
};

}  // namespace lunar::http
