// The least that a keep-alive HTTP relay on io_uring can do: find the end of a head, read Content-Length, pass the
// bytes on, keep upstream connections. No flows, no header hygiene, no timeouts, no logging, requests without a body,
// heads in one piece: what a gateway costs more than this is its own.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "tests/bench/floor/ring.h"

namespace lunar::bench {

enum class Op : uint8_t { accept, receive, send, connect, close, cancel, bulk_wait };

// A large body on its way: its pages go from socket to socket through a pipe, and are never copied.
class Pipe {
 public:
  Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // Both give what splice(2) gives; errno is EAGAIN when there is nothing to take, or no room to put it.
  ssize_t fill(int from, size_t limit);
  ssize_t empty(int into, bool more_follows);
  [[nodiscard]] size_t filled() const { return filled_; }

 private:
  Fd out_;
  Fd in_;
  size_t filled_ = 0;
};

// A client or upstream connection; everything that an idle one costs in user memory.
struct alignas(16) Connection {
  Connection* partner = nullptr;  // the other end of the exchange under way
  uint64_t left = 0;              // upstream: bytes of the answer that are still to come
  Pipe* bulk = nullptr;           // upstream: while a large body passes
  int fd = -1;
  uint16_t first_queued = Buffers::kNone;
  uint16_t last_queued = Buffers::kNone;
  uint8_t operations = 0;  // in flight; the connection is freed with the last one
  bool upstream : 1 = false;
  bool connected : 1 = true;
  bool listening : 1 = false;  // a multishot receive is armed
  bool sending : 1 = false;
  bool close_when_sent : 1 = false;
  bool closing : 1 = false;
};

class Relay {
 public:
  Relay(int listener, const Endpoint& origin);
  [[noreturn]] void run();

 private:
  struct Chunk {  // what a provided buffer holds while it waits to be sent
    uint32_t length = 0;
    uint16_t next = Buffers::kNone;
  };

  static void start(io_uring_sqe* sqe, Connection& connection, Op op);
  void accept();
  void receive_once(Connection& connection);
  void listen(Connection& connection);
  void enqueue(Connection& connection, uint16_t buffer, uint32_t length);
  void send_next(Connection& connection);
  void cancel(Connection& connection, Op op);
  void close(Connection& connection);
  Connection& allocate(bool upstream);
  Connection& take_upstream();

  void complete(const io_uring_cqe& cqe);
  void dispatch(Connection& connection, Op op, const io_uring_cqe& cqe);
  void release(Connection& connection);
  void accepted(const io_uring_cqe& cqe);
  void received(Connection& connection, const io_uring_cqe& cqe);
  void received_request(Connection& client, uint16_t buffer, uint32_t length);
  void received_answer(Connection& upstream, uint16_t buffer, uint32_t length);
  void end_exchange(Connection& upstream);
  void sent(Connection& connection, int result);
  void connected(Connection& upstream, int result);
  void pass_bulk(Connection& upstream);
  void wait_for(Connection& upstream, int fd, unsigned events);
  void end_bulk(Connection& upstream);

  Ring ring_;
  Buffers buffers_;
  std::vector<Chunk> chunks_;
  int listener_;
  sockaddr_storage origin_{};
  socklen_t origin_length_;
  std::deque<Connection> connections_;
  std::vector<Connection*> free_;
  std::vector<Connection*> idle_upstreams_;  // last in, first out: the warmest one is taken
};

}  // namespace lunar::bench
