#include "agent/uring/acceptor.h"

#include <cerrno>

namespace lunar::uring {

Acceptor::Acceptor(Loop& loop, int listener, Accepted accepted, Refused refused)
    : loop_(loop),
      listener_(listener),
      accepted_(std::move(accepted)),
      refused_(std::move(refused)),
      accept_{{&completed}, *this},
      retry_(*this) {}

Acceptor::~Acceptor() = default;

void Acceptor::start() {
  if (accepting_ || stopping_) return;
  accepting_ = true;
  io_uring_prep_multishot_accept(loop_.ring().prepare(accept_), listener_, nullptr, nullptr, SOCK_CLOEXEC);
}

void Acceptor::stop() {
  stopping_ = true;
  retry_.disarm();
  if (accepting_) loop_.ring().cancel(accept_);
}

void Acceptor::Retry::due(Timer& timer) { static_cast<Retry&>(timer).acceptor.start(); }

void Acceptor::completed(Operation& operation, int32_t result, uint32_t flags) {
  Acceptor& self = static_cast<Accept&>(operation).acceptor;
  if ((flags & IORING_CQE_F_MORE) == 0) self.accepting_ = false;
  if (result >= 0) {
    self.accepted_(Fd(result));
  } else if (self.stopping_) {
    return;
  } else if (result == -EINVAL || result == -EBADF) {
    self.refused_(-result);  // the supervisor shut the listener down
    return;
  } else if (result != -ECONNABORTED && result != -EINTR && result != -ECANCELED) {
    self.refused_(-result);
    self.loop_.timers().arm(self.retry_, self.loop_.now() + std::chrono::milliseconds(10));
    return;
  }
  if (!self.accepting_) self.start();
}

}  // namespace lunar::uring
