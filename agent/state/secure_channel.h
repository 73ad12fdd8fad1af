// TLS as whoever speaks HTTP needs it: a machine over memory between plaintext and what goes over the socket. What
// exporters need of agent/net is declared here, because the two may not know each other; agent/ fills it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar {

// The client's side of one connection, used by one thread.
class SecureChannel {
 public:
  SecureChannel() = default;
  SecureChannel(const SecureChannel&) = delete;
  SecureChannel& operator=(const SecureChannel&) = delete;
  virtual ~SecureChannel() = default;

  // Goes on with the handshake, and fills `plaintext`; returns how many bytes of it. Takes what it has used from the
  // front of `from_peer`; less than all of `plaintext` means that nothing more can be had. May add to output().
  [[nodiscard]] virtual size_t read(std::string_view& from_peer, std::span<char> plaintext) = 0;
  // Returns how many bytes of `plaintext` it has encrypted: 0 before the handshake is complete, and while output() is
  // full.
  [[nodiscard]] virtual size_t write(std::string_view plaintext) = 0;
  // For the peer; valid until the next call.
  [[nodiscard]] virtual std::string_view output() const = 0;
  virtual void sent(size_t bytes) = 0;
  virtual void close() = 0;         // nothing more will be written
  virtual void end_of_input() = 0;  // the transport has ended

  // Something can still pass, or will be able to after the handshake.
  [[nodiscard]] virtual bool open() const = 0;
  // Why nothing can, with the way out where there is one; empty: it just ended.
  [[nodiscard]] virtual std::string fault() const = 0;
};

// To `host`, a name or an address without brackets.
using OpenChannel = std::function<Result<std::unique_ptr<SecureChannel>>(const std::string& host, uint16_t port)>;

}  // namespace lunar
