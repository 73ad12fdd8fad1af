#include "agent/script/worker.h"

#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/script/confinement.h"
#include "agent/script/frame.h"

namespace lunar::script {
namespace {

constexpr int kCallsOfAWorker = 10'000;
// Reading and writing the documents is not what timeout_ms is for: there is a millisecond more for each so many bytes.
constexpr size_t kBytesOfAMillisecond = 5'000;

void set_cpu_limit(uint32_t milliseconds) {
  itimerval limit{};
  limit.it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

Frame receive(int channel, FrameReader& reader) {
  std::array<char, 64 << 10> bytes;
  for (;;) {
    if (auto frame = reader.next()) return std::move(*frame);
    const ssize_t count = read(channel, bytes.data(), bytes.size());
    if (count == 0 || (count < 0 && errno != EINTR)) _exit(0);
    if (count > 0) reader.feed({bytes.data(), static_cast<size_t>(count)});
    if (reader.broken()) _exit(0);
  }
}

void send(int channel, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(channel, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) _exit(0);
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
}

Outcome perform(Interpreter& interpreter, const Frame& frame) {
  const auto texts = split_texts(frame.text);
  if (!texts) return {.text = "the call cannot be read"};
  set_cpu_limit(frame.head.timeout_ms + static_cast<uint32_t>(frame.text.size() / kBytesOfAMillisecond));
  Outcome outcome = interpreter.run(*texts, size_t{frame.head.max_heap_mb} << 20);
  set_cpu_limit(0);
  if (!outcome.success && outcome.memory_refused)
    outcome.text = "used more than " + std::to_string(frame.head.max_heap_mb) + " MB of memory: " + outcome.text;
  return outcome;
}

}  // namespace

void run_worker(int channel, Interpreter& interpreter) {
  if (!confine_worker(channel)) _exit(kNotConfined);
  FrameReader reader;
  for (int calls = 1;; ++calls) {
    const Frame frame = receive(channel, reader);
    const Outcome outcome = perform(interpreter, frame);
    // After a call that wanted too much memory the process is not used again: malloc keeps the pieces.
    FrameHead head{.kind = outcome.success ? FrameKind::success : FrameKind::failure, .id = frame.head.id};
    head.last = calls == kCallsOfAWorker || outcome.memory_refused ? 1 : 0;
    send(channel, encode_frame(head, outcome.text));
    if (head.last != 0) _exit(0);
  }
}

}  // namespace lunar::script
