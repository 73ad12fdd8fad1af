// Life of a stream: how it comes, fails and goes.
#include "agent/uring/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace lunar::uring {
namespace {

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

// The ring calls a connect complete that the kernel has given up because of an ICMP error after a repeated SYN (seen on
// Linux 6.18): the error is still with the socket.
int error_behind_success(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

}  // namespace

void StreamRelease::operator()(Stream* stream) const noexcept { stream->release(); }

Result<Fd> open_tcp_socket(const Endpoint& destination) {
  Fd socket(::socket(destination.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return fail(std::string("socket: ") + strerror(errno), errno);
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  return socket;
}

Stream::Stream(Loop& loop, Fd socket)
    : loop_(loop),
      socket_(std::move(socket)),
      receive_{{&received}, *this},
      transmit_{{&transmitted}, *this},
      cancel_{{&cancelled}, *this} {}

Stream::~Stream() = default;

StreamRef Stream::adopt(Loop& loop, Fd socket) {
  StreamRef stream(new (FramePool::allocate(sizeof(Stream))) Stream(loop, std::move(socket)));
  stream->receive_more();
  return stream;
}

StreamRef Stream::connect(Loop& loop, Fd socket, const Endpoint& destination) {
  StreamRef stream(new (FramePool::allocate(sizeof(Stream))) Stream(loop, std::move(socket)));
  stream->connecting_ = true;
  stream->was_connected_ = false;
  stream->transmit_.complete = &connected;
  auto& address = loop.ring().scratch<sockaddr_storage>();
  socklen_t length = destination.to(address);
  io_uring_prep_connect(loop.ring().prepare(stream->transmit_), stream->fd(), reinterpret_cast<sockaddr*>(&address),
                        length);
  return stream;
}

StreamRef Stream::over(Loop& loop, std::unique_ptr<StreamLayer> layer) {
  StreamRef stream(new (FramePool::allocate(sizeof(Stream))) Stream(loop, Fd()));
  stream->layer_ = std::move(layer);
  stream->layer_->begin(*stream);
  return stream;
}

void Stream::connected(Operation& operation, int32_t result, uint32_t) {
  Stream& self = static_cast<Transmit&>(operation).stream;
  self.connecting_ = false;
  self.transmit_.complete = &transmitted;
  if (self.released_) {
    self.finish_release();
    return;
  }
  if (const int error = result < 0 ? -result : error_behind_success(self.fd()); error != 0) {
    self.fail(error);
    return;
  }
  self.was_connected_ = true;
  if (self.layer_ != nullptr) self.layer_->begin(self);
  self.receive_more();
  self.transmit_more();
  self.changed();
}

void Stream::cover(std::unique_ptr<StreamLayer> layer) {
  layer_ = std::move(layer);
  if (connecting_ || error_ != 0) return;
  layer_->begin(*this);
  Buffer* piece = first_;
  first_ = last_ = nullptr;
  input_bytes_ = needed_ = 0;
  const bool over = ended_;
  ended_ = false;
  while (piece != nullptr) {
    BufferRef arrived(piece, BufferReturn{&loop_.buffers()});
    piece = std::exchange(arrived->next, nullptr);
    layer_->received(*this, std::move(arrived));
  }
  if (over) layer_->ended(*this);
  receive_more();
  // The owner looks at what has become of its input, as it would if it had arrived now.
  if (waker_ != nullptr) waker_->signal();
}

void Stream::layer_deliver_end(bool in_doubt) {
  if (ended_ || error_ != 0) return;
  ended_ = true;
  end_in_doubt_ = in_doubt;
}

void Stream::layer_sent() {
  if (wake_when_sent_ && (unsent() == 0 || stalled())) changed();
}

void Stream::layer_fail(int error) {
  if (error_ == 0) error_ = error;
  if (!sending_) drop_output();
}

void Stream::fail(int error) {
  layer_fail(error);
  changed();
}

void Stream::changed() {
  if (waker_ != nullptr) {
    waker_->signal();
  } else if (watcher_ != nullptr) {
    watcher_(*this, watcher_context_);
  }
}

Fd Stream::detach() { return std::move(socket_); }

void Stream::release() {
  released_ = true;
  waker_ = nullptr;
  watcher_ = nullptr;
  while (first_ != nullptr) {
    BufferRef piece(first_, BufferReturn{&loop_.buffers()});
    first_ = piece->next;
  }
  if (layer_ != nullptr) layer_->released(*this);
  if (socket_ && reset_) {
    linger abort{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  if (receiving_ && !stopping_) stop_receiving();
  if (sending_ || connecting_) cancel(transmit_);
  finish_release();
}

void Stream::cancel(Operation& operation) {
  ++cancels_;
  loop_.ring().cancel(operation, cancel_);
}

void Stream::cancelled(Operation& operation, int32_t result, uint32_t) {
  Stream& self = static_cast<Cancel&>(operation).stream;
  --self.cancels_;
  if (result == -ENOENT) {
    // What has not completed by now was just being tried again and is asked once more.
    if (self.receiving_ && self.stopping_) self.cancel(self.receive_);
    if (self.released_ && (self.sending_ || self.connecting_)) self.cancel(self.transmit_);
  }
  if (self.released_) self.finish_release();
}

void Stream::finish_release() {
  if (receiving_ || sending_ || connecting_ || cancels_ > 0) return;
  drop_output();
  this->~Stream();
  FramePool::release(this, sizeof(Stream));
}

}  // namespace lunar::uring
