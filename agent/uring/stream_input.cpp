// What a stream receives.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/uring/stream.h"

namespace lunar::uring {
namespace {

// When buffers are scarce, a piece of up to this size moves to memory of this size.
constexpr uint32_t worth_moving = 2048;
// What a connection receives into when every provided buffer is in use: enough to go on, for very many connections.
constexpr uint32_t emergency_size = 4096;

}  // namespace

uint32_t Stream::window() const {
  // When buffers run short each connection keeps one at most, so that the slow cannot starve the others.
  return std::max(needed_, loop_.buffers().scarce() ? BufferPool::small_size : input_window);
}

void Stream::receive_more() {
  if (receiving_ || paused_ || ended_ || error_ != 0 || connecting_ || released_ || !socket_) return;
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
    self.arrived(std::move(piece));
  } else if (result == 0) {
    self.peer_finished();
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

void Stream::arrived(BufferRef piece) {
  if (layer_ == nullptr) {
    append(std::move(piece));
  } else if (error_ == 0) {
    layer_->received(*this, std::move(piece));
  }
}

void Stream::peer_finished() {
  // Behind an error that the other direction met first, the kernel reports an end that the peer never sent.
  if (error_ != 0) return;
  if (layer_ == nullptr) {
    layer_deliver_end(false);
  } else {
    layer_->ended(*this);
  }
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
  if (layer_ != nullptr) layer_->took(*this, bytes);
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

void Stream::pause() {
  paused_ = true;
  if (receiving_ && !stopping_) stop_receiving();
}

void Stream::resume() {
  paused_ = false;
  receive_more();
}

}  // namespace lunar::uring
