// What stands between a stream's socket and its owner, and turns the bytes of one into those of the other (TLS), or
// stands in for the socket (a stream of HTTP/2).
#pragma once

#include <cstdint>

#include "agent/uring/buffers.h"

namespace lunar::uring {

class Stream;

// Owned by its stream and called by it alone, on the loop's thread. It answers by the stream's layer_* functions, in
// the same call or in a later one, and never wakes anybody: the stream does that when the call has returned.
class StreamLayer {
 public:
  StreamLayer() = default;
  StreamLayer(const StreamLayer&) = delete;
  StreamLayer& operator=(const StreamLayer&) = delete;
  virtual ~StreamLayer() = default;

  // The socket, if there is one, is connected, and everything may be called from now on; send() and finish() also
  // before.
  virtual void begin(Stream& stream) = 0;
  virtual void received(Stream& /*stream*/, BufferRef /*piece*/) {}  // from the socket, never empty
  virtual void ended(Stream& /*stream*/) {}                          // the peer's FIN
  virtual void send(Stream& stream, BufferRef piece) = 0;            // of the owner, never empty
  virtual void finish(Stream& stream) = 0;                           // the owner has sent everything
  virtual void took(Stream& /*stream*/, uint32_t /*bytes*/) {}       // the owner, of what was delivered
  virtual void released(Stream& /*stream*/) {}                       // by the owner: the last call
  // The owner's bytes do not pass yet: they wait.
  [[nodiscard]] virtual bool opening() const = 0;
  [[nodiscard]] virtual uint32_t waiting_bytes() const = 0;
  [[nodiscard]] virtual bool stalled() const { return false; }  // they wait for the peer to take more
};

}  // namespace lunar::uring
