// Calls of scripts as bytes on a socket of the script host. Transport-neutral: the caller does the I/O with its own
// loop, writes what encode_call() gives, in that order and whole, and feeds what it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/script/frame.h"

namespace lunar {

struct ScriptCall {
  std::string_view script;
  uint32_t timeout_ms = 50;  // of CPU time
  uint32_t max_heap_mb = 16;
  std::string_view request;                  // JSON with the members of flows.md §5.2; `body` is text or a value
  std::optional<std::string_view> response;  // likewise; missing in the request phase
};

struct ScriptReply {
  uint64_t id = 0;
  bool success = false;
  // After success those writable members that the script changed, as JSON: of the response if the call had one, of the
  // request otherwise. `headers` is the map of all that are left, by lower-case name; `body` is text, and empty where
  // it was taken away. What the values are is the script's affair: nothing here is checked. After a failure the reason,
  // one line, and nothing may be applied.
  std::string text;
};

class ScriptClient {
 public:
  struct Sent {
    uint64_t id;
    std::string bytes;
  };
  [[nodiscard]] Sent encode_call(const ScriptCall& call);

  void feed(std::string_view bytes) { reader_.feed(bytes); }
  [[nodiscard]] std::optional<ScriptReply> next_reply();  // in the order in which the calls end
  // Another socket: what came of the one before is forgotten, and the numbers of calls go on.
  void reconnect() { reader_ = {}; }
  // Close the socket then, as when the host does: what was sent and has no reply has failed.
  [[nodiscard]] bool broken() const { return reader_.broken(); }

 private:
  uint64_t next_id_ = 1;
  script::FrameReader reader_;
};

}  // namespace lunar
