// One HTTP/2 stream as its session keeps it: the message that the peer sends, and the one that the owner provides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/http/body_intake.h"
#include "agent/http/h2_events.h"
#include "agent/http/h2_fields.h"

namespace lunar::http {

struct H2Stream {
  explicit H2Stream(StreamId name) : id(name) {}

  StreamId id;
  int32_t number = 0;  // on the wire; 0 until there is one
  H2Exchange exchange;
  const char* reason = nullptr;  // of the end, as far as it is known before the end
  bool on_wire = false;          // some head of ours has been sent
  bool closed = false;           // on the wire; kept until what was received is consumed
  bool left = false;             // by its owner, who is told nothing more of it
  bool forgotten = false;        // no longer in the session's list

  // The peer's message.
  BodyFraming framing;
  uint64_t payload = 0;
  uint32_t interims = 0;
  bool head_received = false;  // the final one
  bool end_received = false;
  uint64_t unread = 0;      // HTTP/1.1 bytes that the owner has not consumed
  uint64_t uncredited = 0;  // DATA bytes that the peer has not got back as window; never more than `unread`

  // The owner's message.
  std::string head;    // as far as it has come
  BodyIntake intake;   // of what follows
  std::string output;  // payload, sent up to output_begin
  size_t output_begin = 0;
  uint64_t sent = 0;
  bool head_provided = false;  // the final one
  bool end_provided = false;
  uint32_t heads_unsent = 0;
  bool end_sent = false;
  bool deferred = false;          // the library waits for payload
  bool starved = false;           // the owner waits for room
  std::optional<H2Code> parting;  // it is reset with this when the peer has seen all of the owner's message

  [[nodiscard]] size_t waiting() const { return head.size() + output.size() - output_begin; }
  // But perhaps for an END_STREAM behind the bytes that were announced.
  [[nodiscard]] bool received_all() const {
    return end_received ||
           (head_received && framing.kind == BodyFraming::Kind::content_length && payload == framing.length);
  }
};

}  // namespace lunar::http
