#include "agent/uring/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace lunar::uring {
namespace {

constexpr unsigned most_pieces_in_a_write = 8;
// When buffers are scarce, a piece of up to this size moves to memory of this size.
constexpr uint32_t worth_moving = 2048;
// What a connection receives into when every provided buffer is in use: enough to go on, for very many connections.
constexpr uint32_t emergency_size = 4096;

struct Vectors {
  msghdr message;
  std::array<iovec, most_pieces_in_a_write> pieces;
};

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
  stream->transmit_.complete = &connected;
  auto& address = loop.ring().scratch<sockaddr_storage>();
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
  return std::max(needed_, loop_.buffers().scarce() ? BufferPool::small_size : input_window);
}

void Stream::receive_more() {
  if (receiving_ || paused_ || ended_ || error_ != 0 || connecting_ || released_) return;
  if (input_bytes_ >= (bulk_ ? 1 : window())) return;
  receiving_ = true;
  BufferPool& buffers = loop_.buffers();
  if (buffers.kernel_ring_empty()) buffers.provide();
  if (bulk_ || buffers.kernel_ring_empty()) {
    // With every provided buffer in use, memory of its own keeps this connection going.
    bulk_target_ = (bulk_ ? buffers.bulk() : buffers.apart(emergency_size)).release();
    io_uring_prep_recv(loop_.ring().prepare(receive_), fd(), bulk_target_->memory, bulk_target_->capacity, 0);
    return;
  }
  io_uring_sqe* entry = loop_.ring().prepare(receive_);
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
  // A receive that ended for our own reasons is no event, except for who waits for a pause.
  if (result >= 0 || self.paused_) self.changed();
}

void Stream::append(BufferRef piece) {
  uint32_t bytes = piece->size();
  input_bytes_ += bytes;
  // A peer that sends byte by byte must not hold a buffer for each byte. The oldest piece does not grow: its owner
  // may be looking at it.
  if (first_ != last_ && bytes <= last_->capacity - last_->end) {
    memcpy(last_->memory + last_->end, piece->bytes(), bytes);
    last_->end += bytes;
    return;
  }
  if (bytes <= worth_moving && loop_.buffers().scarce()) {
    BufferRef moved = loop_.buffers().apart(worth_moving);
    memcpy(moved->memory, piece->bytes(), bytes);
    moved->end = bytes;
    piece = std::move(moved);
  }
  Buffer* raw = piece.release();
  raw->next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = raw;
  last_ = raw;
}

void Stream::need(uint32_t bytes) {
  needed_ = bytes;
  receive_more();
}

void Stream::took(uint32_t bytes) {
  input_bytes_ -= bytes;
  needed_ = 0;
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
  if (first_->capacity - first_->begin < bytes) {
    // With room to grow: a long head that comes in small pieces is not copied anew for each.
    BufferRef joined = loop_.buffers().sized(std::max(bytes, 2 * first_->size()));
    memcpy(joined->memory, first_->bytes(), first_->size());
    joined->end = first_->size();
    joined->next = first_->next;
    if (last_ == first_) last_ = joined.get();
    BufferRef(std::exchange(first_, joined.release()), BufferReturn{&loop_.buffers()}).reset();
  }
  while (first_->size() < bytes) {
    Buffer* piece = first_->next;
    uint32_t part = std::min(piece->size(), first_->capacity - first_->end);
    memcpy(first_->memory + first_->end, piece->bytes(), part);
    first_->end += part;
    piece->begin += part;
    if (piece->size() > 0) continue;
    first_->next = piece->next;
    if (last_ == piece) last_ = first_;
    BufferRef(piece, BufferReturn{&loop_.buffers()}).reset();
  }
}

void Stream::receive_in_bulk(bool bulk) {
  if (bulk == bulk_) return;
  bulk_ = bulk;
  // Also the other way round: a connection that waits for its next message must not hold a large buffer.
  if (receiving_ && !stopping_) stop_receiving();
}

void Stream::stop_receiving() {
  stopping_ = true;
  cancel(receive_);
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
  if (out_first_->next == nullptr) {
    io_uring_prep_send(loop_.ring().prepare(transmit_), fd(), out_first_->bytes(), out_first_->size(), flags);
    return;
  }
  auto& vectors = loop_.ring().scratch<Vectors>();
  vectors.message.msg_iov = vectors.pieces.data();
  for (Buffer* piece = out_first_; piece != nullptr && vectors.message.msg_iovlen < most_pieces_in_a_write;
       piece = piece->next) {
    vectors.pieces[vectors.message.msg_iovlen++] = {piece->bytes(), piece->size()};
  }
  io_uring_prep_sendmsg(loop_.ring().prepare(transmit_), fd(), &vectors.message, flags);
}

void Stream::transmitted(Operation& operation, int32_t result, uint32_t) {
  Stream& self = static_cast<Transmit&>(operation).stream;
  self.sending_ = false;
  if (self.released_) {
    self.finish_release();
    return;
  }
  if (result == -EINTR) {
    self.transmit_more();
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
  if (self.error_ != 0) self.drop_output();
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
  if (sending_ || connecting_) cancel(transmit_);
  finish_release();
}

void Stream::finish_release() {
  if (receiving_ || sending_ || connecting_ || cancels_ > 0) return;
  drop_output();
  this->~Stream();
  FramePool::release(this, sizeof(Stream));
}

}  // namespace lunar::uring
