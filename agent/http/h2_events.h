// What an HTTP/2 session tells its owner.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/http/h2_code.h"

namespace lunar::http {

// Names a stream for the lifetime of its session; never 0, never used twice. In the server role it is the number that
// the stream has on the wire; a client's stream has none until its request's head is complete.
using StreamId = uint32_t;

// Called from inside of H2Session's functions. May call everything of the session but feed, pull and the destructor.
// Views are valid during the call.
class H2Events {
 public:
  // Server role: a request has come. `head` is the first of its HTTP/1.1 bytes.
  virtual void opened(StreamId stream, std::string_view head) = 0;
  // Further HTTP/1.1 bytes of the peer's message: in the client role all heads, in both roles body and trailers.
  virtual void received(StreamId stream, std::string_view bytes) = 0;
  // The peer's message is complete (in a tunnel: the peer sends no more).
  virtual void ended(StreamId stream) = 0;
  // The stream is over: no_error where both messages are complete, else why not. refused_stream: the request was not
  // processed and may be sent elsewhere. The last event of a stream; what was received stays to be consumed. Not told
  // of a stream that the owner has reset.
  virtual void closed(StreamId stream, const H2End& end) = 0;
  // provide() has left bytes, and there is room again.
  virtual void writable(StreamId stream) = 0;

  virtual void peer_settings() = 0;                // the peer's settings have come, or changed
  virtual void peer_goaway(const H2End& end) = 0;  // the peer takes no new streams; those above its limit are closed
  virtual void over(const H2End& end) = 0;         // last event: pull what is left, and close the connection

 protected:
  ~H2Events() = default;
};

}  // namespace lunar::http
