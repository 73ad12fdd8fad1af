#include "agent/uring/pump.h"

namespace lunar::uring {
namespace {

// One piece on its way while the next one is received.
constexpr uint32_t in_flight_limit = BufferPool::bulk_size;

}  // namespace

void adapt_receive(Stream& from, uint32_t piece) {
  if (from.in_bulk()) {
    if (piece < BufferPool::bulk_size / 4) from.receive_in_bulk(false);
  } else if (from.input_bytes() >= Stream::input_window / 2) {
    from.receive_in_bulk(true);
  }
}

uint64_t Pump::move(Stream& from, Stream& to) {
  uint64_t moved = 0;
  while (from.input() != nullptr && to.unsent() < in_flight_limit) {
    adapt_receive(from, from.input()->size());
    BufferRef piece = from.take();
    moved += piece->size();
    to.send(std::move(piece));
  }
  if (from.ended()) {
    if (from.end_in_doubt()) to.leave_end_in_doubt();
    to.finish_sending();
  }
  to.wake_when_sent(from.input() != nullptr || from.ended() || from.error() != 0);
  return moved;
}

Pump::State Pump::step() {
  left_to_right_ += move(left_, right_);
  right_to_left_ += move(right_, left_);
  bool left_delivered = left_.input() == nullptr && right_.unsent() == 0;
  bool right_delivered = right_.input() == nullptr && left_.unsent() == 0;
  if (left_.error() != 0 && (left_delivered || right_.error() != 0)) return State::left_failed;
  if (right_.error() != 0 && right_delivered) return State::right_failed;
  if (left_.ended() && right_.ended() && left_delivered && right_delivered) return State::finished;
  return State::open;
}

}  // namespace lunar::uring
