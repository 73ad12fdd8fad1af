// What a strict peer sends, and what must come back. Each row names the section that it is from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/http/h2_code.h"
#include "tests/http/h2_frames.h"

namespace lunar::test {

struct Wanted {
  enum class Kind : uint8_t {
    accepted,  // no error, and the owner's log contains `text`
    ignored,   // no error, and nothing is told to the owner
    answered,  // no error, and the frame comes back
    reset,     // RST_STREAM with this code on this stream; the connection lives
    goaway,    // GOAWAY with this code; the session is over
  };
  Kind kind = Kind::ignored;
  http::H2Code code = http::H2Code::no_error;
  Frame frame;       // of answered; of reset its stream. Its payload is a prefix
  std::string text;  // of accepted
};

struct Conformance {
  enum class Peer : uint8_t {
    client,        // has sent the preface and its settings; we are the server, and do not answer requests
    served,        // the same, and every complete request is answered with 200 and five bytes
    unread,        // as client, but what it sends is not consumed
    silent,        // a client that has sent nothing
    unsettled,     // a client that has not acknowledged our settings
    server,        // has the requests of `requests` and has sent its settings; we are the client
    silent_server  // the same, without settings
  };
  std::string name;
  Peer peer;
  std::string sends;
  Wanted wanted;
};

// What we as a client have asked for when a row of a server begins.
inline constexpr uint32_t get_stream = 1;
inline constexpr uint32_t post_stream = 3;  // the body goes on
inline constexpr uint32_t head_stream = 5;
inline constexpr uint32_t connect_stream = 7;

[[nodiscard]] inline Wanted accepted(std::string text) { return {Wanted::Kind::accepted, {}, {}, std::move(text)}; }
[[nodiscard]] inline Wanted ignored() { return {}; }
[[nodiscard]] inline Wanted answered(Frame frame) { return {Wanted::Kind::answered, {}, std::move(frame), {}}; }
[[nodiscard]] inline Wanted resets(uint32_t stream, http::H2Code code) {
  return {Wanted::Kind::reset, code, {.stream = stream}, {}};
}
[[nodiscard]] inline Wanted ends(http::H2Code code) { return {Wanted::Kind::goaway, code, {}, {}}; }

[[nodiscard]] std::vector<Conformance> framing_rows();
[[nodiscard]] std::vector<Conformance> frame_type_rows();
[[nodiscard]] std::vector<Conformance> message_rows();
[[nodiscard]] std::vector<Conformance> compression_rows();
[[nodiscard]] std::vector<Conformance> client_rows();

}  // namespace lunar::test
