#include "agent/uring/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace lunar::uring {
namespace {

constexpr unsigned most_pieces_in_a_write = 8;

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

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
    : loop_(loop), socket_(std::move(socket)), receive_{{&received}, *this}, transmit_{{&transmitted}, *this} {}

Stream::~Stream() = default;

StreamRef Stream::adopt(Loop& loop, Fd socket) {
  StreamRef stream(new (FramePool::allocate(sizeof(Stream))) Stream(loop, std::move(socket)));
  stream->receive_more();
  return stream;
}

StreamRef Stream::connect(Loop& loop, Fd socket, const Endpoint& destination) {
  StreamRef stream(new (FramePool::allocate(sizeof(Stream))) Stream(loop, std::move(socket)));
  stream->connecting_ = true;
  stream->transmit_.complete = &connected;
  // The address must stay where it is until the request was submitted, which happens at the end of this turn.
  thread_local std::array<sockaddr_storage, 256> addresses;
  thread_local size_t next_address = 0;
  if (next_address == addresses.size()) {
    next_address = 0;
    io_uring_submit(&loop.ring().native());
  }
  sockaddr_storage& address = addresses[next_address++];
  socklen_t length = destination.to(address);
  io_uring_prep_connect(loop.ring().prepare(stream->transmit_), stream->fd(), reinterpret_cast<sockaddr*>(&address),
                        length);
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
  if (result < 0) {
    self.fail(-result);
    return;
  }
  self.receive_more();
  self.transmit_more();
  self.changed();
}

// Receiving

uint32_t Stream::window() const {
  // When buffers run short each connection keeps one at most, so that the slow cannot starve the others.
  bool scarce = loop_.buffers().free_small() < loop_.buffers().total_small() / 2;
  return scarce ? BufferPool::small_size : input_window;
}

void Stream::receive_more() {
  if (receiving_ || paused_ || ended_ || error_ != 0 || connecting_ || released_) return;
  if (input_bytes_ >= (bulk_ ? 1 : window())) return;
  receiving_ = true;
  BufferPool& buffers = loop_.buffers();
  if (buffers.kernel_ring_empty()) buffers.provide();
  io_uring_sqe* entry = loop_.ring().prepare(receive_);
  if (bulk_ || buffers.kernel_ring_empty()) {
    // With every provided buffer in use, memory of its own keeps this connection going.
    bulk_target_ = (bulk_ ? buffers.bulk() : buffers.sized(BufferPool::small_size)).release();
    io_uring_prep_recv(entry, fd(), bulk_target_->memory, bulk_target_->capacity, 0);
    return;
  }
  io_uring_prep_recv_multishot(entry, fd(), nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = BufferPool::group;
}

void Stream::received(Operation& operation, int32_t result, uint32_t flags) {
  Stream& self = static_cast<Receive&>(operation).stream;
  BufferRef piece(nullptr, BufferReturn{&self.loop_.buffers()});
  if ((flags & IORING_CQE_F_BUFFER) != 0) {
    piece = self.loop_.buffers().picked_by_kernel(flags, result > 0 ? static_cast<uint32_t>(result) : 0);
  } else if (self.bulk_target_ != nullptr) {
    piece.reset(std::exchange(self.bulk_target_, nullptr));
    piece->end = result > 0 ? static_cast<uint32_t>(result) : 0;
  }
  bool last = (flags & IORING_CQE_F_MORE) == 0;
  if (last) self.receiving_ = self.stopping_ = false;
  if (self.released_) {
    piece.reset();
    if (last) self.finish_release();
    return;
  }
  if (result > 0) {
    self.append(std::move(piece));
  } else if (result == 0) {
    self.ended_ = true;
  } else if (result != -ECANCELED && result != -EINTR && result != -ENOBUFS) {
    self.fail(-result);
    return;
  }
  if (last) {
    self.receive_more();
  } else if (self.input_bytes_ >= self.window() && !self.stopping_) {
    self.stop_receiving();
  }
  if (result != -ENOBUFS) self.changed();
}

void Stream::append(BufferRef piece) {
  input_bytes_ += piece->size();
  Buffer* raw = piece.release();
  raw->next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = raw;
  last_ = raw;
}

void Stream::took(uint32_t bytes) {
  input_bytes_ -= bytes;
  receive_more();
}

BufferRef Stream::take() {
  Buffer* piece = first_;
  first_ = piece->next;
  if (first_ == nullptr) last_ = nullptr;
  piece->next = nullptr;
  took(piece->size());
  return {piece, BufferReturn{&loop_.buffers()}};
}

BufferRef Stream::take(uint32_t bytes) {
  if (bytes >= first_->size()) return take();
  BufferRef rest = loop_.buffers().split(*first_, bytes);
  rest->next = first_->next;
  Buffer* piece = first_;
  first_ = rest.release();
  if (last_ == piece) last_ = first_;
  piece->next = nullptr;
  took(bytes);
  return {piece, BufferReturn{&loop_.buffers()}};
}

void Stream::put_back(BufferRef piece) {
  if (piece->size() == 0) return;
  input_bytes_ += piece->size();
  piece->next = first_;
  if (first_ == nullptr) last_ = piece.get();
  first_ = piece.release();
}

void Stream::gather(uint32_t bytes) {
  bytes = std::min(bytes, input_bytes_);
  if (first_ == nullptr || first_->size() >= bytes) return;
  BufferRef joined = loop_.buffers().sized(std::max(bytes, input_bytes_));
  while (first_ != nullptr && joined->capacity - joined->end >= first_->size()) {
    BufferRef piece(first_, BufferReturn{&loop_.buffers()});
    first_ = piece->next;
    memcpy(joined->memory + joined->end, piece->bytes(), piece->size());
    joined->end += piece->size();
    input_bytes_ -= piece->size();
  }
  if (first_ == nullptr) last_ = nullptr;
  put_back(std::move(joined));
}

void Stream::stop_receiving() {
  stopping_ = true;
  loop_.ring().cancel(receive_);
}

void Stream::pause() {
  paused_ = true;
  if (receiving_ && !stopping_) stop_receiving();
}

void Stream::resume() {
  paused_ = false;
  receive_more();
}

// Sending

void Stream::send(BufferRef piece) {
  if (error_ != 0 || piece->size() == 0) return;
  unsent_ += piece->size();
  Buffer* raw = piece.release();
  raw->next = nullptr;
  (out_first_ == nullptr ? out_first_ : out_last_->next) = raw;
  out_last_ = raw;
  transmit_more();
}

void Stream::transmit_more() {
  if (sending_ || connecting_ || error_ != 0) return;
  if (out_first_ == nullptr) {
    if (finish_ && !fin_sent_) {
      fin_sent_ = true;
      shutdown(fd(), SHUT_WR);
    }
    return;
  }
  sending_ = true;
  constexpr int flags = MSG_WAITALL | MSG_NOSIGNAL;
  io_uring_sqe* entry = loop_.ring().prepare(transmit_);
  if (out_first_->next == nullptr) {
    expected_ = out_first_->size();
    io_uring_prep_send(entry, fd(), out_first_->bytes(), expected_, flags);
    return;
  }
  // The vectors are read when the request is submitted; a turn never prepares more requests than the ring holds
  // without submitting.
  struct Vectors {
    msghdr message;
    std::array<iovec, most_pieces_in_a_write> pieces;
  };
  thread_local std::array<Vectors, 256> scratch;
  thread_local size_t next_scratch = 0;
  if (next_scratch == scratch.size()) {
    next_scratch = 0;
    io_uring_submit(&loop_.ring().native());
  }
  Vectors& vectors = scratch[next_scratch++];
  vectors.message = {};
  vectors.message.msg_iov = vectors.pieces.data();
  expected_ = 0;
  for (Buffer* piece = out_first_; piece != nullptr && vectors.message.msg_iovlen < most_pieces_in_a_write;
       piece = piece->next) {
    vectors.pieces[vectors.message.msg_iovlen++] = {piece->bytes(), piece->size()};
    expected_ += piece->size();
  }
  io_uring_prep_sendmsg(entry, fd(), &vectors.message, flags);
}

void Stream::transmitted(Operation& operation, int32_t result, uint32_t) {
  Stream& self = static_cast<Transmit&>(operation).stream;
  self.sending_ = false;
  if (self.released_) {
    self.finish_release();
    return;
  }
  if (result <= 0) {
    self.fail(result == 0 ? EPIPE : -result);
    return;
  }
  self.sent_bytes_ += static_cast<uint32_t>(result);
  self.unsent_ -= static_cast<uint32_t>(result);
  auto left = static_cast<uint32_t>(result);
  while (left > 0) {
    Buffer* piece = self.out_first_;
    uint32_t part = std::min(left, piece->size());
    piece->begin += part;
    left -= part;
    if (piece->size() > 0) break;  // a write that a signal cut short goes on behind what was sent
    self.out_first_ = piece->next;
    BufferRef(piece, BufferReturn{&self.loop_.buffers()}).reset();
  }
  if (self.out_first_ == nullptr) self.out_last_ = nullptr;
  self.transmit_more();
  if (self.unsent_ == 0 && self.wake_when_sent_) self.changed();
}

void Stream::finish_sending() {
  if (finish_) return;
  finish_ = true;
  transmit_more();
}

// Ends

void Stream::fail(int error) {
  if (error_ == 0) error_ = error;
  if (!sending_) drop_output();
  changed();
}

void Stream::drop_output() {
  while (out_first_ != nullptr) {
    BufferRef piece(out_first_, BufferReturn{&loop_.buffers()});
    out_first_ = piece->next;
  }
  out_last_ = nullptr;
  unsent_ = 0;
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
  if (socket_ && reset_) {
    linger abort{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  if (receiving_ && !stopping_) stop_receiving();
  if (sending_ || connecting_) loop_.ring().cancel(transmit_);
  finish_release();
}

void Stream::finish_release() {
  if (receiving_ || sending_ || connecting_) return;
  drop_output();
  this->~Stream();
  FramePool::release(this, sizeof(Stream));
}

}  // namespace lunar::uring
