// What goes over the sockets between gateway, script host and script workers: frames of a fixed head and a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar::script {

enum class FrameKind : uint32_t { call = 1, success = 2, failure = 3 };

struct FrameHead {
  uint32_t size = 0;  // of the text
  FrameKind kind = FrameKind::call;
  uint64_t id = 0;  // of the call, given by the client; the same in the reply
  uint32_t timeout_ms = 0;
  uint32_t max_heap_mb = 0;
  uint32_t last = 0;  // in the reply of a worker: it ends now, and another takes its place
  uint32_t reserved = 0;
};
static_assert(sizeof(FrameHead) == 32);

struct Frame {
  FrameHead head;
  std::string text;
};

inline constexpr uint32_t kMaxFrameText = 512U << 20;

[[nodiscard]] std::string encode_frame(FrameHead head, std::string_view text);  // fills in the size

// Frames out of bytes as they come.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  [[nodiscard]] std::optional<Frame> next();
  [[nodiscard]] bool broken() const { return broken_; }  // what came is no frame: nothing more can be read

 private:
  std::string buffer_;
  bool broken_ = false;
};

// The three texts of a call as one.
struct CallTexts {
  std::string_view script;
  std::string_view request;                  // the document of flows.md §5.2 as JSON
  std::optional<std::string_view> response;  // missing in the request phase
};
[[nodiscard]] std::string join_texts(const CallTexts& texts);
[[nodiscard]] std::optional<CallTexts> split_texts(std::string_view joined);

}  // namespace lunar::script
