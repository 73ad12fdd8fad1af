// Relays bytes between two streams until both directions have ended: half-closes, resets and back-pressure pass
// through as they come.
#pragma once

#include <cstdint>

#include "agent/uring/stream.h"

namespace lunar::uring {

class Pump {
 public:
  enum class State : uint8_t {
    open,
    finished,     // both sides sent FIN and everything was delivered
    left_failed,  // reset or error on the left; what had arrived from it was delivered
    right_failed,
  };

  // Both streams must signal the waker of the coroutine that calls step(), and outlive the pump.
  Pump(Stream& left, Stream& right) : left_(left), right_(right) {}

  // Moves what can be moved. To be called at first and after every signal.
  [[nodiscard]] State step();

  [[nodiscard]] uint64_t left_to_right() const { return left_to_right_; }
  [[nodiscard]] uint64_t right_to_left() const { return right_to_left_; }

 private:
  static uint64_t move(Stream& from, Stream& to);

  Stream& left_;
  Stream& right_;
  uint64_t left_to_right_ = 0;
  uint64_t right_to_left_ = 0;
};

// Chooses how `from` receives, given the size of the piece that is about to be taken from it: long transfers in
// large pieces, everything else as it comes.
void adapt_receive(Stream& from, uint32_t piece);

}  // namespace lunar::uring
