#include "agent/base/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lunar {
namespace {

// The first byte of a packet says whether its message goes on in the next one.
constexpr char kContinues = '+';
constexpr char kEnds = '.';
constexpr size_t kPacketBytes = 64 << 10;
constexpr size_t kPacketFds = 250;  // the kernel takes SCM_MAX_FD = 253

using ControlBuffer = std::array<char, CMSG_SPACE(sizeof(int) * kPacketFds)>;

void collect_fds(msghdr& header, std::vector<Fd>& into) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
      into.emplace_back(fd);
    }
  }
}

}  // namespace

Channel::Channel(Fd socket) : socket_(std::move(socket)) {
  const int flags = fcntl(socket_.get(), F_GETFL);
  if (flags >= 0) fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

Result<std::pair<Channel, Channel>> Channel::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail("cannot create the channel", errno);
  return std::pair(Channel(Fd(ends[0])), Channel(Fd(ends[1])));
}

Result<> Channel::send(const nlohmann::json& body, std::span<const int> fds) {
  const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > max_message_bytes || fds.size() > max_message_fds) return fail("message is too large", EMSGSIZE);
  if (queued_bytes_ + text.size() > max_queued_bytes) return fail("the peer does not read", EAGAIN);
  std::string_view rest = text;
  do {
    const std::string_view piece = rest.substr(0, std::min(rest.size(), kPacketBytes));
    const auto piece_fds = fds.first(std::min(fds.size(), kPacketFds));
    rest.remove_prefix(piece.size());
    fds = fds.subspan(piece_fds.size());
    std::string packet(1, rest.empty() && fds.empty() ? kEnds : kContinues);
    packet.append(piece);
    if (auto sent = enqueue(std::move(packet), piece_fds); !sent) return sent;
  } while (!rest.empty() || !fds.empty());
  return {};
}

Result<> Channel::enqueue(std::string bytes, std::span<const int> fds) {
  if (queue_.empty()) {
    int error = 0;
    const Sent sent = transmit(bytes, fds, error);
    if (sent == Sent::yes) return {};
    if (sent == Sent::never) return fail("cannot send on the channel", error);
  }
  Packet packet{.bytes = std::move(bytes), .fds = {}};
  for (const int fd : fds) {
    packet.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!packet.fds.back()) return fail("cannot keep a descriptor for the channel", errno);
  }
  queued_bytes_ += packet.bytes.size();
  queue_.push_back(std::move(packet));
  return {};
}

Result<> Channel::flush() {
  while (!queue_.empty()) {
    std::vector<int> fds;
    for (const Fd& fd : queue_.front().fds) fds.push_back(fd.get());
    int error = 0;
    const Sent sent = transmit(queue_.front().bytes, fds, error);
    if (sent == Sent::later) return {};
    queued_bytes_ -= queue_.front().bytes.size();
    queue_.pop_front();
    if (sent == Sent::never) return fail("cannot send on the channel", error);
  }
  return {};
}

Channel::Sent Channel::transmit(const std::string& bytes, std::span<const int> fds, int& error) const {
  iovec vector{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) ControlBuffer control_bytes{};
  msghdr header{.msg_iov = &vector, .msg_iovlen = 1};
  if (!fds.empty()) {
    header.msg_control = control_bytes.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(fds.size_bytes());
    memcpy(CMSG_DATA(control), fds.data(), fds.size_bytes());
  }
  while (sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    error = errno;
    return errno == EAGAIN || errno == ENOBUFS ? Sent::later : Sent::never;
  }
  return Sent::yes;
}

Result<std::optional<ChannelMessage>> Channel::receive() {
  Arrival arrival = Arrival::part;
  while (arrival == Arrival::part) {
    auto packet = receive_packet();
    if (!packet) return std::unexpected(packet.error());
    arrival = *packet;
  }
  if (arrival == Arrival::none) return std::nullopt;
  ChannelMessage message{.body = nlohmann::json::parse(std::exchange(arriving_, {}), nullptr, false),
                         .fds = std::exchange(arriving_fds_, {})};
  if (!message.body.is_object()) return fail("a message on the channel is not a JSON object", EPROTO);
  return message;
}

Result<Channel::Arrival> Channel::receive_packet() {
  std::array<char, kPacketBytes + 1> bytes;
  alignas(cmsghdr) ControlBuffer control;
  iovec vector{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr header{.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.data(), .msg_controllen = control.size()};
  const ssize_t size = recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && errno == EINTR) return Arrival::part;
  if (size < 0 && errno == EAGAIN) return Arrival::none;
  if (size == 0 || (size < 0 && errno == ECONNRESET)) {
    closed_ = true;
    return Arrival::none;
  }
  if (size < 0) return fail("cannot receive on the channel", errno);
  collect_fds(header, arriving_fds_);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail("a message on the channel was cut", EMSGSIZE);
  if (bytes[0] != kEnds && bytes[0] != kContinues) return fail("a packet on the channel is not one of ours", EPROTO);
  arriving_.append(bytes.data() + 1, static_cast<size_t>(size) - 1);
  if (arriving_.size() > max_message_bytes || arriving_fds_.size() > max_message_fds)
    return fail("a message on the channel is too large", EMSGSIZE);
  return bytes[0] == kEnds ? Arrival::whole : Arrival::part;
}

}  // namespace lunar
