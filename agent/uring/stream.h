// A TCP connection on a loop: what arrived, what is still to be sent, and how it ended — as state that its owner
// looks at whenever its waker is signalled.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>

#include "agent/base/endpoint.h"
#include "agent/uring/buffers.h"
#include "agent/uring/loop.h"
#include "agent/uring/stream_layer.h"

namespace lunar::uring {

class Stream;

// Letting go of a stream closes it: operations in flight are cancelled, and the memory is released when the kernel
// has returned the last one.
struct StreamRelease {
  void operator()(Stream* stream) const noexcept;
};
using StreamRef = std::unique_ptr<Stream, StreamRelease>;

// All calls on the loop's thread.
class Stream {
 public:
  // Takes the descriptor of a connected socket and begins to receive.
  [[nodiscard]] static StreamRef adopt(Loop& loop, Fd socket);
  // Opens the connection; `connecting()` until it is there or `error()` says why not.
  [[nodiscard]] static StreamRef connect(Loop& loop, Fd socket, const Endpoint& destination);
  // A stream without a socket: `layer` has all of it.
  [[nodiscard]] static StreamRef over(Loop& loop, std::unique_ptr<StreamLayer> layer);
  // From now on, and for what has arrived and was not taken, everything below is about the bytes above `layer`: once,
  // and before anything is sent.
  void cover(std::unique_ptr<StreamLayer> layer);
  [[nodiscard]] bool covered() const { return layer_ != nullptr; }

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Who is told of changes; null: nobody (an idle connection in a pool has its own way, see `watch`).
  void wake(Waker* waker) { waker_ = waker; }
  // Instead of a waker: called on any event while nobody reads (data, end or error on an idle connection). It may
  // release the stream.
  using Watcher = void (*)(Stream& self, void* context);
  void watch(Watcher watcher, void* context) {
    watcher_ = watcher;
    watcher_context_ = context;
  }

  // Nothing passes yet: the connection, or the layer above it, is being opened.
  [[nodiscard]] bool connecting() const { return connecting_ || (layer_ != nullptr && layer_->opening()); }
  [[nodiscard]] bool was_connected() const { return was_connected_; }  // TCP, at some time, whatever came of it
  // errno of the first failure in either direction, below 0 what a layer has names of its own for, or 0.
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] int fd() const { return socket_.get(); }

  // Receiving. `input()` is the oldest piece; more may be queued behind it.
  [[nodiscard]] Buffer* input() const { return first_; }
  [[nodiscard]] bool ended() const { return ended_ && first_ == nullptr; }  // peer sent FIN and all was taken
  [[nodiscard]] bool end_seen() const { return ended_; }
  // The peer ended without saying that it was the end, where its layer can say so: a part may be missing.
  [[nodiscard]] bool end_in_doubt() const { return end_in_doubt_; }
  [[nodiscard]] uint32_t input_bytes() const { return input_bytes_; }
  [[nodiscard]] BufferRef take();                // the oldest piece
  [[nodiscard]] BufferRef take(uint32_t bytes);  // that many bytes of it; copies only when the rest must stay
  // Joins queued pieces so that at least `bytes` are contiguous, where that many are there. Bytes of the oldest piece
  // stay where they are if it has room for the others.
  void gather(uint32_t bytes);
  // Receives until at least that many bytes are queued, however scarce buffers are; until some are taken.
  void need(uint32_t bytes);
  // A long body follows: receive it in large pieces, one at a time, instead of as it comes.
  void receive_in_bulk(bool bulk);
  [[nodiscard]] bool in_bulk() const { return bulk_; }
  // Stops receiving; `paused()` when nothing can arrive any more. What had arrived stays readable.
  void pause();
  [[nodiscard]] bool paused() const { return paused_ && !receiving_; }
  void resume();

  // Sending. One write is in flight; further pieces queue behind it.
  void send(BufferRef piece);
  [[nodiscard]] uint32_t unsent() const { return unsent_ + (layer_ == nullptr ? 0 : layer_->waiting_bytes()); }
  // What is unsent waits until the peer takes more, where the layer can tell.
  [[nodiscard]] bool stalled() const { return layer_ != nullptr && layer_->stalled(); }
  // `true`: signal when everything was sent or has stalled, not only on failure.
  void wake_when_sent(bool wanted) { wake_when_sent_ = wanted; }
  [[nodiscard]] uint64_t sent_bytes() const { return sent_bytes_; }
  void finish_sending();                                 // FIN behind what is queued
  void leave_end_in_doubt() { leave_in_doubt_ = true; }  // finish_sending() will not say that it was the end
  [[nodiscard]] bool finished_sending() const { return finish_ && unsent_ == 0; }
  // RST instead of FIN. `why`, like error() of another stream, becomes the error of this one, for its layer.
  void reset_on_close(int why = 0) {
    reset_ = true;
    if (error_ == 0) error_ = why;
  }

  // Takes the descriptor out of a paused stream with nothing queued; the stream is then only fit to be released.
  [[nodiscard]] Fd detach();

  // More unread input than this stops receiving until the owner has taken some.
  static constexpr uint32_t input_window = 64 * 1024;

  // For the layer alone.
  [[nodiscard]] BufferPool& buffers() { return loop_.buffers(); }
  void layer_deliver(BufferRef piece) { append(std::move(piece)); }
  void layer_deliver_end(bool in_doubt);
  void layer_transmit(BufferRef piece);
  void layer_transmit_end();  // FIN behind what it has transmitted
  void layer_fail(int error);
  void layer_changed() { changed(); }  // after these, where they were not answers to a call
  void layer_sent();                   // waiting_bytes() may have become less, or stalled() true
  [[nodiscard]] bool resets_on_close() const { return reset_; }
  [[nodiscard]] bool leaves_end_in_doubt() const { return leave_in_doubt_; }

 private:
  friend struct StreamRelease;
  struct Receive : Operation {
    Stream& stream;
  };
  struct Transmit : Operation {
    Stream& stream;
  };
  struct Cancel : Operation {
    Stream& stream;
  };

  Stream(Loop& loop, Fd socket);
  ~Stream();

  static void received(Operation& operation, int32_t result, uint32_t flags);
  static void transmitted(Operation& operation, int32_t result, uint32_t flags);
  static void connected(Operation& operation, int32_t result, uint32_t flags);
  static void cancelled(Operation& operation, int32_t result, uint32_t flags);

  void receive_more();
  void arrived(BufferRef piece);
  void peer_finished();
  void append(BufferRef piece);
  void took(uint32_t bytes);
  void transmit_more();
  void drop_sent(uint32_t bytes);
  void drop_output();
  void fail(int error);
  void changed();
  void stop_receiving();
  void cancel(Operation& operation);
  void release();
  void finish_release();
  [[nodiscard]] uint32_t window() const;

  Loop& loop_;
  Fd socket_;
  int error_ = 0;
  Receive receive_;
  Transmit transmit_;
  Cancel cancel_;
  Waker* waker_ = nullptr;
  Watcher watcher_ = nullptr;
  void* watcher_context_ = nullptr;
  std::unique_ptr<StreamLayer> layer_;
  Buffer* first_ = nullptr;  // input, oldest first
  Buffer* last_ = nullptr;
  Buffer* out_first_ = nullptr;  // output; while `sending_` its first pieces belong to the kernel
  Buffer* out_last_ = nullptr;
  Buffer* bulk_target_ = nullptr;  // what a bulk receive writes to
  uint64_t sent_bytes_ = 0;
  uint32_t input_bytes_ = 0;
  uint32_t unsent_ = 0;
  uint32_t in_flight_ = 0;  // bytes of the write that the kernel has
  uint32_t needed_ = 0;
  uint8_t cancels_ = 0;  // cancel requests that have not answered yet
  bool receiving_ : 1 = false;
  bool stopping_ : 1 = false;  // a cancel of the receive is under way
  bool paused_ : 1 = false;
  bool bulk_ : 1 = false;
  bool ended_ : 1 = false;
  bool end_in_doubt_ : 1 = false;
  bool connecting_ : 1 = false;
  bool was_connected_ : 1 = true;
  bool sending_ : 1 = false;
  bool wake_when_sent_ : 1 = false;
  bool finish_ : 1 = false;
  bool leave_in_doubt_ : 1 = false;
  bool fin_sent_ : 1 = false;
  bool reset_ : 1 = false;
  bool released_ : 1 = false;
};
static_assert(sizeof(Stream) <= 192, "an idle connection is three cache lines of this and no buffer");

// A socket for an outgoing TCP connection: non-delaying, with keep-alive probes, close-on-exec.
[[nodiscard]] Result<Fd> open_tcp_socket(const Endpoint& destination);

}  // namespace lunar::uring
