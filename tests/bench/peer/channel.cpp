#include "tests/bench/peer/channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lunar::bench {

void Channel::open(Fd socket, const TlsContext* tls) {
  fd_ = std::move(socket);
  fault_ = nullptr;
  tls_ = tls == nullptr ? nullptr : tls->over(fd_.get());
}

void Channel::close() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_.get()) &&
      (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) == 0)
    SSL_shutdown(tls_.get());
  tls_.reset();
  ERR_clear_error();
  fd_.reset();
}

ssize_t Channel::receive(std::span<char> into) {
  if (tls_ == nullptr) return ::recv(fd_.get(), into.data(), into.size(), 0);
  size_t count = 0;
  const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &count);
  return result == 1 ? static_cast<ssize_t>(count) : settle(result);
}

ssize_t Channel::send(std::string_view bytes) {
  if (tls_ == nullptr) return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  size_t count = 0;
  const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &count);
  if (result == 1) return static_cast<ssize_t>(count);
  if (settle(result) < 0) return -1;
  fault_ = "the connection ended during the handshake";
  return -1;
}

// A call that TLS did not do, as recv(2) would say it.
ssize_t Channel::settle(int result) {
  fault_ = nullptr;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      break;
    default:
      fault_ = ERR_reason_error_string(ERR_peek_error());
      errno = EPROTO;
  }
  ERR_clear_error();
  return -1;
}

const char* Channel::fault() const { return fault_ == nullptr ? std::strerror(errno) : fault_; }

bool Channel::awaits_peer() const { return tls_ != nullptr && SSL_want_read(tls_.get()); }

bool Channel::holds_input() const { return tls_ != nullptr && SSL_has_pending(tls_.get()) == 1; }

}  // namespace lunar::bench
