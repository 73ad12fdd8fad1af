// What a stream sends.
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/uring/stream.h"

namespace lunar::uring {
namespace {

constexpr unsigned most_pieces_in_a_write = 8;

struct Vectors {
  msghdr message;
  std::array<iovec, most_pieces_in_a_write> pieces;
};

// A write of which a part went out before the connection was reset says so only by being short, and has taken the
// error: without this look a reset would pass for an orderly end.
bool was_reset(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE;
}

}  // namespace

void Stream::send(BufferRef piece) {
  if (error_ != 0 || piece->size() == 0) return;
  if (layer_ != nullptr) {
    layer_->send(*this, std::move(piece));
  } else {
    layer_transmit(std::move(piece));
  }
}

void Stream::layer_transmit(BufferRef piece) {
  if (error_ != 0) return;
  unsent_ += piece->size();
  Buffer* raw = piece.release();
  raw->next = nullptr;
  (out_first_ == nullptr ? out_first_ : out_last_->next) = raw;
  out_last_ = raw;
  transmit_more();
}

void Stream::transmit_more() {
  if (sending_ || connecting_ || error_ != 0 || !socket_) return;
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
    in_flight_ = out_first_->size();
    io_uring_prep_send(loop_.ring().prepare(transmit_), fd(), out_first_->bytes(), in_flight_, flags);
    return;
  }
  in_flight_ = 0;
  auto& vectors = loop_.ring().scratch<Vectors>();
  vectors.message.msg_iov = vectors.pieces.data();
  for (Buffer* piece = out_first_; piece != nullptr && vectors.message.msg_iovlen < most_pieces_in_a_write;
       piece = piece->next) {
    vectors.pieces[vectors.message.msg_iovlen++] = {piece->bytes(), piece->size()};
    in_flight_ += piece->size();
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
  auto sent = static_cast<uint32_t>(result);
  self.drop_sent(sent);
  if (self.error_ == 0 && sent < self.in_flight_ && was_reset(self.fd())) {
    self.fail(ECONNRESET);
    return;
  }
  if (self.error_ != 0) self.drop_output();
  self.transmit_more();
  if (self.unsent_ == 0 && self.wake_when_sent_) self.changed();
}

void Stream::drop_sent(uint32_t bytes) {
  sent_bytes_ += bytes;
  unsent_ -= bytes;
  while (bytes > 0) {
    Buffer* piece = out_first_;
    uint32_t part = std::min(bytes, piece->size());
    piece->begin += part;
    bytes -= part;
    if (piece->size() > 0) break;  // a write that was cut short goes on behind what was sent
    out_first_ = piece->next;
    BufferRef(piece, BufferReturn{&loop_.buffers()}).reset();
  }
  if (out_first_ == nullptr) out_last_ = nullptr;
}

void Stream::finish_sending() {
  if (finish_) return;
  if (layer_ != nullptr) {
    layer_->finish(*this);
  } else {
    layer_transmit_end();
  }
}

void Stream::layer_transmit_end() {
  finish_ = true;
  transmit_more();
}

void Stream::drop_output() {
  while (out_first_ != nullptr) {
    BufferRef piece(out_first_, BufferReturn{&loop_.buffers()});
    out_first_ = piece->next;
  }
  out_last_ = nullptr;
  unsent_ = 0;
}

}  // namespace lunar::uring
