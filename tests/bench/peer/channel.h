// A connected TCP socket, in clear or with TLS over it.
#pragma once

#include <sys/types.h>

#include <span>
#include <string_view>

#include "agent/base/fd.h"
#include "tests/bench/peer/tls.h"

namespace lunar::bench {

// receive() and send() mean what recv(2) and send(2) do on a socket that never blocks. TLS shakes hands within them.
class Channel {
 public:
  void open(Fd socket, const TlsContext* tls);  // null: in clear
  void close();                                 // TLS says so before, unless the peer did

  [[nodiscard]] ssize_t receive(std::span<char> into);
  [[nodiscard]] ssize_t send(std::string_view bytes);
  [[nodiscard]] const char* fault() const;  // why the last call failed

  // Some bytes have left the kernel, which says nothing of them any more, and were not received yet.
  [[nodiscard]] bool holds_input() const;
  // What send() did not do can be done when the peer has said its part of the handshake, not when there is room.
  [[nodiscard]] bool awaits_peer() const;

  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  ssize_t settle(int result);

  Fd fd_;
  OpensslHandle<ssl_st> tls_;
  const char* fault_ = nullptr;  // null: errno says it
};

}  // namespace lunar::bench
