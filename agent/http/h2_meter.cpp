#include "agent/http/h2_meter.h"

#include <algorithm>
#include <span>

namespace lunar::http {
namespace {

// RFC 9113 §6.
enum FrameType : uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  continuation = 9
};

constexpr uint32_t stream_bits = 0x7fff'ffff;
constexpr uint8_t end_stream = 1;
constexpr uint8_t ack = 1;

H2Meter::Verdict judged(bool within, const char* what) {
  return within ? std::nullopt : H2Meter::Verdict({H2Code::enhance_your_calm, what});
}

uint32_t number(std::span<const unsigned char> bytes) {
  uint32_t out = 0;
  for (unsigned char byte : bytes) out = out << 8 | byte;
  return out;
}

}  // namespace

H2Meter::H2Meter(const H2Limits& limits, size_t preface, H2Time now)
    : aborted_(limits.aborted_streams),
      settings_(limits.settings),
      pings_(limits.pings),
      idle_(limits.idle_frames),
      last_(now),
      skip_(preface),
      most_continuations_(limits.continuations) {}

H2Meter::Verdict H2Meter::observe(std::string_view bytes, H2Time now) {
  refill(now);
  while (!bytes.empty()) {
    size_t skipped = std::min(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    if (bytes.empty()) break;
    header_[header_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (header_size_ < header_.size()) continue;
    header_size_ = 0;
    std::span<const unsigned char> header(header_);
    uint32_t length = number(header.first(3));
    skip_ = length;
    if (Verdict verdict = frame(header_[3], header_[4], number(header.last(4)) & stream_bits, length)) return verdict;
  }
  return std::nullopt;
}

H2Meter::Verdict H2Meter::frame(uint8_t type, uint8_t flags, uint32_t stream, uint32_t length) {
  if (type != continuation) continuations_ = 0;
  switch (type) {
    case data:
      credit(length);
      return length != 0 || (flags & end_stream) != 0 ? std::nullopt : idle_frame();
    case headers:
      return length != 0 ? std::nullopt : idle_frame();
    case priority:
      return priority_frame(stream, length);
    case rst_stream:
      return stream_aborted();
    case settings:
      return (flags & ack) != 0 ? idle_frame() : judged(settings_.take(), "too many SETTINGS frames");
    case ping:
      return (flags & ack) != 0 ? idle_frame() : judged(pings_.take(), "too many PING frames");
    case continuation:
      if (++continuations_ > most_continuations_) return judged(false, "too many CONTINUATION frames");
      return length != 0 ? std::nullopt : idle_frame();
    default:
      return idle_frame();
  }
}

// RFC 9113 §6.3: a library that ignores priorities does not look at the frame any more.
H2Meter::Verdict H2Meter::priority_frame(uint32_t stream, uint32_t length) {
  if (stream == 0) return H2End{H2Code::protocol_error, "PRIORITY on stream 0"};
  if (length != 5) return H2End{H2Code::frame_size_error, "PRIORITY is not of five bytes"};
  return idle_frame();
}

H2Meter::Verdict H2Meter::stream_aborted() { return judged(aborted_.take(), "too many aborted streams"); }

H2Meter::Verdict H2Meter::idle_frame() { return judged(idle_.take(), "too many frames that carry nothing"); }

H2Meter::Verdict H2Meter::data_sent(size_t bytes, bool cut_small) {
  credit(bytes);
  return cut_small ? judged(idle_.take(), "the peer's flow-control window is too small") : std::nullopt;
}

void H2Meter::credit(size_t data_bytes) {
  double units = static_cast<double>(data_bytes) / 1024;
  pings_.add(units);
  idle_.add(units);
}

void H2Meter::refill(H2Time now) {
  if (now <= last_) return;
  for (H2Bucket* bucket : {&aborted_, &settings_, &pings_, &idle_}) bucket->refill(now - last_);
  last_ = now;
}

}  // namespace lunar::http
