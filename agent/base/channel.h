// Messages with file descriptors between two of our own processes, over a SOCK_SEQPACKET socketpair.
#pragma once

#include <cstddef>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar {

// One JSON object and the descriptors that belong to it, in the order in which they were sent.
struct ChannelMessage {
  nlohmann::json body;
  std::vector<Fd> fds;
};

// Never blocks: what the kernel does not take at once waits in a bounded queue, so that a peer that hangs can
// never hang us. A message larger than a packet travels as several; order is kept.
class Channel {
 public:
  static constexpr size_t max_message_bytes = 4 << 20;
  static constexpr size_t max_message_fds = 4096;
  static constexpr size_t max_queued_bytes = 8 << 20;

  Channel() = default;
  explicit Channel(Fd socket);  // takes one end of a pair and makes it non-blocking
  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&&) noexcept = default;

  [[nodiscard]] static Result<std::pair<Channel, Channel>> pair();

  // `fds` stay the caller's. An error means that the message was not sent and never will be: too large, queue
  // full (the peer does not read), or peer gone (EPIPE).
  [[nodiscard]] Result<> send(const nlohmann::json& body, std::span<const int> fds = {});

  // Watch for EPOLLOUT while wants_write(), and call flush() when it comes.
  [[nodiscard]] bool wants_write() const { return !queue_.empty(); }
  [[nodiscard]] Result<> flush();

  // The next whole message; nothing when there is none yet, or when closed(). An error is a broken protocol:
  // close the channel.
  [[nodiscard]] Result<std::optional<ChannelMessage>> receive();
  [[nodiscard]] bool closed() const { return closed_; }  // the peer is gone and everything it sent has been received

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] Fd release() { return std::move(socket_); }
  explicit operator bool() const { return static_cast<bool>(socket_); }

 private:
  struct Packet {
    std::string bytes;
    std::vector<Fd> fds;
  };
  enum class Sent { yes, later, never };
  enum class Arrival { whole, part, none };

  [[nodiscard]] Sent transmit(const std::string& bytes, std::span<const int> fds, int& error) const;
  [[nodiscard]] Result<> enqueue(std::string bytes, std::span<const int> fds);
  [[nodiscard]] Result<Arrival> receive_packet();  // whole: the message in `arriving_` has its last packet

  Fd socket_;
  std::deque<Packet> queue_;
  size_t queued_bytes_ = 0;
  std::string arriving_;
  std::vector<Fd> arriving_fds_;
  bool closed_ = false;
};

}  // namespace lunar
