#include "tests/bench/peer/client.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lunar::bench {

namespace {
constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
constexpr int kLargestOnTheWire = 9000;
}  // namespace

void Client::open(const Endpoint& target) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) die("socket");
  int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage where{};
  socklen_t length = target.to(where);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&where), length) < 0 && errno != EINPROGRESS) {
    die("connect");
  }
  state_ = State::idle;
  waits_writable_ = false;
  carry_.clear();
  context_.reactor.add(fd.get(), kReading, *this);
  channel_.open(std::move(fd), context_.tls);
}

void Client::request(MonotonicTime scheduled) {
  scheduled_ = scheduled;
  number_ = number_text(context_.next_number++);
  body_seen_ = 0;
  state_ = State::sending;
  send_request();
}

// On one machine the handshake is usually over when connect() returns, so the first try mostly succeeds.
void Client::send_request() {
  std::string_view text = context_.request.numbered(number_);
  ssize_t sent = channel_.send(text);
  if (sent < 0 && errno == EAGAIN) {
    watch_writable(!channel_.awaits_peer());
    return;
  }
  if (sent != static_cast<ssize_t>(text.size())) {
    fail(sent < 0 ? channel_.fault() : "a request was taken in pieces");
    return;
  }
  state_ = State::head;
  watch_writable(false);
}

void Client::watch_writable(bool on) {
  if (on != waits_writable_) context_.reactor.modify(channel_.fd(), on ? kReading | EPOLLOUT : kReading, *this);
  waits_writable_ = on;
}

void Client::ready(uint32_t events) {
  if (!is_open()) return;
  if (state_ == State::sending && (events & EPOLLOUT || channel_.awaits_peer()) && !(events & EPOLLERR)) {
    send_request();
    return;
  }
  while (receive() && channel_.holds_input()) {
  }
  // The end came along with the answer: no second look is needed to know it.
  if (is_open() && state_ == State::idle && events & EPOLLRDHUP) {
    close();
    owner_.closed(*this);
  }
}

// False when nothing came.
bool Client::receive() {
  ssize_t count = channel_.receive(context_.scratch);
  if (count > 0) {
    take({context_.scratch.data(), static_cast<size_t>(count)});
    return true;
  }
  if (count < 0 && errno == EAGAIN) return false;
  if (count < 0) {
    fail(channel_.fault());
  } else if (state_ == State::idle) {
    close();
    owner_.closed(*this);
  } else {
    fail("the connection ended before its answer");
  }
  return false;
}

void Client::take(std::string_view bytes) {
  if (state_ == State::idle || state_ == State::sending) {
    fail("bytes that nobody asked for");
    return;
  }
  if (state_ == State::head && !take_head(bytes)) return;
  if (body_seen_ + bytes.size() > context_.body_size) {
    fail("bytes behind the body");
    return;
  }
  if (!body_is_right(bytes)) {
    fail("wrong bytes in the body");
    return;
  }
  body_seen_ += bytes.size();
  if (body_seen_ < context_.body_size) return;
  state_ = State::idle;
  owner_.answered(*this);
}

// Consumes the head from `bytes`; false when it is incomplete or wrong.
bool Client::take_head(std::string_view& bytes) {
  if (!carry_.empty()) bytes = carry_.append(bytes);
  size_t size = head_size(bytes);
  if (size == 0) {
    if (carry_.empty()) carry_ = bytes;
    return false;
  }
  std::optional<Answer> answer = parse_answer(bytes.substr(0, size));
  if (!answer || answer->status != 200 || answer->body_size != context_.body_size) {
    fail("a head with another status or length");
    return false;
  }
  state_ = State::body;
  if (!body_is_right(bytes.substr(size))) {
    fail("wrong bytes at the start of the body");
    return false;
  }
  body_seen_ = bytes.size() - size;
  bytes = {};
  carry_.clear();
  return true;
}

bool Client::body_is_right(std::string_view bytes) const {
  uint64_t offset = body_seen_;
  if (offset < kNumberDigits) {
    std::string_view number(number_.data() + offset, std::min<size_t>(kNumberDigits - offset, bytes.size()));
    if (!bytes.starts_with(number)) return false;
    bytes.remove_prefix(number.size());
    offset += number.size();
  }
  return context_.pattern.matches(offset, bytes);
}

void Client::fail(const char* why) {
  close();
  state_ = State::idle;
  owner_.failed(*this, why);
}

bool Client::runs_over_loopback() const {
  int segment = 0;
  socklen_t length = sizeof segment;
  getsockopt(channel_.fd(), IPPROTO_TCP, TCP_MAXSEG, &segment, &length);
  return segment > kLargestOnTheWire;
}

}  // namespace lunar::bench
