#include "tests/bench/floor/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lunar::bench {

namespace {

constexpr uint64_t kLargeBody = 128UL << 10;  // from here on splicing is cheaper than copying
constexpr size_t kPipeSize = 1UL << 20;
constexpr int kTurnsAtOnce = 16;  // pipes full of one body, before others get their turn

size_t head_size(std::string_view bytes) {
  const void* end = memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
  return end == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(end) - bytes.data()) + 4;
}

// The line, with its line end, of the field `name` (written with its colon); empty when there is none.
std::string_view field_line(std::string_view head, std::string_view name) {
  const char* at = head.data();
  const char* end = at + head.size();
  while (at < end) {
    const char* line_end = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
    if (line_end == nullptr) break;
    std::string_view line(at, static_cast<size_t>(line_end + 1 - at));
    // The bit 0x20 is the case of a letter.
    if (line.size() > name.size() && (line[0] | 0x20) == name[0] &&
        strncasecmp(line.data(), name.data(), name.size()) == 0) {
      return line;
    }
    at = line_end + 1;
  }
  return {};
}

uint64_t content_length(std::string_view head) {
  constexpr std::string_view kName = "content-length:";
  std::string_view line = field_line(head, kName);
  uint64_t value = 0;
  for (char c : line.substr(std::min(kName.size(), line.size()))) {
    if (c >= '0' && c <= '9') value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

uint64_t tag(const Connection* connection, Op op) {
  return reinterpret_cast<uintptr_t>(connection) | static_cast<uint64_t>(op);
}

}  // namespace

Relay::Relay(int listener, const Endpoint& origin)
    : buffers_(ring_.raw()), chunks_(Buffers::kCount), listener_(listener), origin_length_(origin.to(origin_)) {}

void Relay::run() {
  accept();
  for (;;) {
    ring_.turn([this](const io_uring_cqe& cqe) { complete(cqe); });
    buffers_.publish();
  }
}

// Marks a prepared entry as `op` of `connection`, which stays until its last operation has completed.
void Relay::start(io_uring_sqe* sqe, Connection& connection, Op op) {
  ++connection.operations;
  io_uring_sqe_set_data64(sqe, tag(&connection, op));
}

void Relay::accept() {
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, 0);
  io_uring_sqe_set_data64(sqe, tag(nullptr, Op::accept));
}

// The first request mostly waits already. One receive leaves nothing armed, so that a connection that is used for one
// request can be closed without cancelling anything.
void Relay::receive_once(Connection& connection) {
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_recv(sqe, connection.fd, nullptr, Buffers::kSize, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = Buffers::kGroup;
  start(sqe, connection, Op::receive);
}

void Relay::listen(Connection& connection) {
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_recv_multishot(sqe, connection.fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->buf_group = Buffers::kGroup;
  connection.listening = true;
  start(sqe, connection, Op::receive);
}

void Relay::enqueue(Connection& connection, uint16_t buffer, uint32_t length) {
  chunks_[buffer] = {.length = length, .next = Buffers::kNone};
  if (connection.first_queued == Buffers::kNone) {
    connection.first_queued = buffer;
  } else {
    chunks_[connection.last_queued].next = buffer;
  }
  connection.last_queued = buffer;
  if (connection.connected && !connection.sending) send_next(connection);
}

void Relay::send_next(Connection& connection) {
  uint16_t buffer = connection.first_queued;
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_send(sqe, connection.fd, buffers_.at(buffer), chunks_[buffer].length, MSG_WAITALL | MSG_NOSIGNAL);
  connection.sending = true;
  start(sqe, connection, Op::send);
}

void Relay::cancel(Connection& connection, Op op) {
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_cancel64(sqe, tag(&connection, op), 0);
  start(sqe, connection, Op::cancel);
}

// Ends both sides of an exchange under way: what one side did not send, the other one cannot get.
void Relay::close(Connection& connection) {
  if (connection.closing) return;
  connection.closing = true;
  Connection* partner = std::exchange(connection.partner, nullptr);
  if (connection.upstream) std::erase(idle_upstreams_, &connection);
  // What is in flight holds the socket open; a request that does not exist is cancelled without harm.
  if (connection.listening) cancel(connection, Op::receive);
  if (connection.bulk != nullptr) cancel(connection, Op::bulk_wait);
  if (connection.fd >= 0) {
    io_uring_sqe* sqe = ring_.sqe();
    io_uring_prep_close(sqe, connection.fd);
    start(sqe, connection, Op::close);
  }
  if (partner != nullptr) {
    partner->partner = nullptr;
    close(*partner);
  }
}

Connection& Relay::allocate(bool upstream) {
  Connection* connection = nullptr;
  if (free_.empty()) {
    connection = &connections_.emplace_back();
  } else {
    connection = free_.back();
    free_.pop_back();
    *connection = {};
  }
  connection->upstream = upstream;
  return *connection;
}

Connection& Relay::take_upstream() {
  if (!idle_upstreams_.empty()) {
    Connection* warmest = idle_upstreams_.back();
    idle_upstreams_.pop_back();
    return *warmest;
  }
  Connection& fresh = allocate(true);
  fresh.connected = false;
  fresh.fd = socket(origin_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fresh.fd < 0) die("socket", errno);
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_connect(sqe, fresh.fd, reinterpret_cast<sockaddr*>(&origin_), origin_length_);
  start(sqe, fresh, Op::connect);
  return fresh;
}

void Relay::complete(const io_uring_cqe& cqe) {
  auto op = static_cast<Op>(cqe.user_data & 15);
  if (op == Op::accept) {
    accepted(cqe);
    return;
  }
  auto& connection = *reinterpret_cast<Connection*>(cqe.user_data & ~uint64_t{15});
  if (!(cqe.flags & IORING_CQE_F_MORE)) --connection.operations;
  if (connection.closing) {
    if (op == Op::receive && cqe.flags & IORING_CQE_F_BUFFER) {
      buffers_.give_back(static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT));
    }
  } else {
    dispatch(connection, op, cqe);
  }
  if (connection.closing && connection.operations == 0) release(connection);
}

void Relay::dispatch(Connection& connection, Op op, const io_uring_cqe& cqe) {
  switch (op) {
    case Op::receive:
      received(connection, cqe);
      break;
    case Op::send:
      sent(connection, cqe.res);
      break;
    case Op::connect:
      connected(connection, cqe.res);
      break;
    case Op::bulk_wait:
      pass_bulk(connection);
      break;
    default:
      break;
  }
}

void Relay::release(Connection& connection) {
  for (uint16_t id = connection.first_queued; id != Buffers::kNone; id = chunks_[id].next) buffers_.give_back(id);
  delete connection.bulk;
  free_.push_back(&connection);
}

void Relay::accepted(const io_uring_cqe& cqe) {
  if (!(cqe.flags & IORING_CQE_F_MORE)) accept();
  if (cqe.res < 0) return;
  Connection& client = allocate(false);
  client.fd = cqe.res;
  receive_once(client);
}

void Relay::received(Connection& connection, const io_uring_cqe& cqe) {
  if (!(cqe.flags & IORING_CQE_F_MORE)) connection.listening = false;
  if (cqe.res == -ENOBUFS) {
    listen(connection);
    return;
  }
  if (cqe.res == -ECANCELED) {  // a large body takes over, unless it was shorter than it took to cancel
    if (connection.bulk == nullptr) {
      listen(connection);
    } else if (!connection.partner->sending) {
      pass_bulk(connection);
    }
    return;
  }
  if (cqe.res <= 0) {
    close(connection);
    return;
  }
  auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  auto length = static_cast<uint32_t>(cqe.res);
  connection.upstream ? received_answer(connection, buffer, length) : received_request(connection, buffer, length);
}

void Relay::received_request(Connection& client, uint16_t buffer, uint32_t length) {
  char* bytes = buffers_.at(buffer);
  std::string_view head(bytes, length);
  if (client.partner != nullptr || head_size(head) != length) {
    buffers_.give_back(buffer);
    close(client);
    return;
  }
  std::string_view line = field_line(head, "connection:");
  if (line.find("close") != std::string_view::npos) {  // is for this connection only (RFC 9110 §7.6.1)
    client.close_when_sent = true;
    char* behind = bytes + (line.data() - bytes) + line.size();
    std::memmove(behind - line.size(), behind, static_cast<size_t>(bytes + length - behind));
    length -= static_cast<uint32_t>(line.size());
  }
  Connection& upstream = take_upstream();
  client.partner = &upstream;
  upstream.partner = &client;
  enqueue(upstream, buffer, length);
}

void Relay::received_answer(Connection& upstream, uint16_t buffer, uint32_t length) {
  if (upstream.left == 0) {
    std::string_view bytes(buffers_.at(buffer), length);
    size_t size = head_size(bytes);
    upstream.left = size + content_length(bytes.substr(0, size));
  }
  if (upstream.partner == nullptr || length > upstream.left) {
    buffers_.give_back(buffer);
    close(upstream);
    return;
  }
  upstream.left -= length;
  Connection& client = *upstream.partner;
  enqueue(client, buffer, length);
  if (upstream.left == 0) {
    delete std::exchange(upstream.bulk, nullptr);
    end_exchange(upstream);
  } else if (upstream.left > kLargeBody && upstream.bulk == nullptr) {
    upstream.bulk = new Pipe;
    cancel(upstream, Op::receive);
  }
}

void Relay::end_exchange(Connection& upstream) {
  Connection& client = *upstream.partner;
  client.partner = nullptr;
  upstream.partner = nullptr;
  if (!client.close_when_sent && !client.listening) listen(client);
  if (!upstream.listening) listen(upstream);
  idle_upstreams_.push_back(&upstream);
}

void Relay::sent(Connection& connection, int result) {
  uint16_t buffer = connection.first_queued;
  connection.sending = false;
  if (result != static_cast<int>(chunks_[buffer].length)) {
    close(connection);
    return;
  }
  connection.first_queued = chunks_[buffer].next;
  buffers_.give_back(buffer);
  if (connection.first_queued != Buffers::kNone) {
    send_next(connection);
  } else if (connection.partner == nullptr && connection.close_when_sent) {
    close(connection);
  } else if (Connection* partner = connection.partner; partner != nullptr && partner->bulk && !partner->listening) {
    pass_bulk(*partner);
  }
}

void Relay::connected(Connection& upstream, int result) {
  if (result < 0) {
    close(upstream);
    return;
  }
  upstream.connected = true;
  send_next(upstream);
  listen(upstream);
}

void Relay::pass_bulk(Connection& upstream) {
  Connection& client = *upstream.partner;
  Pipe& pipe = *upstream.bulk;
  // A splice from a socket waits unless the socket itself is non-blocking; a receive of the ring must not be.
  fcntl(upstream.fd, F_SETFL, O_NONBLOCK);
  for (int turn = 0; turn < kTurnsAtOnce; ++turn) {
    if (pipe.filled() == 0) {
      ssize_t taken = pipe.fill(upstream.fd, upstream.left);
      if (taken < 0 && errno == EAGAIN) break;
      if (taken <= 0) return close(upstream);
      upstream.left -= static_cast<uint64_t>(taken);
    }
    ssize_t put = pipe.empty(client.fd, upstream.left > 0);
    if (put < 0 && errno == EAGAIN) return wait_for(upstream, client.fd, POLLOUT);
    if (put <= 0) return close(upstream);
    if (upstream.left == 0 && pipe.filled() == 0) return end_bulk(upstream);
  }
  wait_for(upstream, upstream.fd, POLLIN);
}

void Relay::wait_for(Connection& upstream, int fd, unsigned events) {
  io_uring_sqe* sqe = ring_.sqe();
  io_uring_prep_poll_add(sqe, fd, events);
  start(sqe, upstream, Op::bulk_wait);
}

void Relay::end_bulk(Connection& upstream) {
  fcntl(upstream.fd, F_SETFL, 0);
  delete std::exchange(upstream.bulk, nullptr);
  Connection& client = *upstream.partner;
  end_exchange(upstream);
  if (client.close_when_sent) close(client);
}

Pipe::Pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) die("pipe2", errno);
  out_.reset(ends[0]);
  in_.reset(ends[1]);
  fcntl(in_.get(), F_SETPIPE_SZ, kPipeSize);
}

ssize_t Pipe::fill(int from, size_t limit) {
  ssize_t taken = splice(from, nullptr, in_.get(), nullptr, std::min(limit, kPipeSize), SPLICE_F_MOVE);
  if (taken > 0) filled_ += static_cast<size_t>(taken);
  return taken;
}

ssize_t Pipe::empty(int into, bool more_follows) {
  unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more_follows ? SPLICE_F_MORE : 0);
  ssize_t put = splice(out_.get(), nullptr, into, nullptr, filled_, flags);
  if (put > 0) filled_ -= static_cast<size_t>(put);
  return put;
}

}  // namespace lunar::bench
