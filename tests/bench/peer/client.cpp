#include "tests/bench/peer/client.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lunar::bench {

namespace {
constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
constexpr int kLargestOnTheWire = 9000;
}  // namespace

void Client::open(const Endpoint& target) {
  fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) die("socket");
  int one = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage where{};
  socklen_t length = target.to(where);
  if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&where), length) < 0 && errno != EINPROGRESS) {
    die("connect");
  }
  state_ = State::idle;
  waits_writable_ = false;
  carry_.clear();
  context_.reactor.add(fd_.get(), kReading, *this);
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
  ssize_t sent = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno == EAGAIN) {
    if (!waits_writable_) context_.reactor.modify(fd_.get(), kReading | EPOLLOUT, *this);
    waits_writable_ = true;
    return;
  }
  if (sent != static_cast<ssize_t>(text.size())) {
    fail(sent < 0 ? std::strerror(errno) : "a request was taken in pieces");
    return;
  }
  state_ = State::head;
  if (waits_writable_) context_.reactor.modify(fd_.get(), kReading, *this);
  waits_writable_ = false;
}

void Client::ready(uint32_t events) {
  if (!fd_) return;
  if (state_ == State::sending && events & EPOLLOUT && !(events & EPOLLERR)) {
    send_request();
    return;
  }
  receive();
  // The end came along with the answer: no second look is needed to know it.
  if (fd_ && state_ == State::idle && events & EPOLLRDHUP) {
    fd_.reset();
    owner_.closed(*this);
  }
}

void Client::receive() {
  ssize_t count = recv(fd_.get(), context_.scratch.data(), context_.scratch.size(), 0);
  if (count > 0) {
    take({context_.scratch.data(), static_cast<size_t>(count)});
    return;
  }
  if (count < 0 && errno == EAGAIN) return;
  if (count < 0) {
    fail(std::strerror(errno));
  } else if (state_ == State::idle) {
    fd_.reset();
    owner_.closed(*this);
  } else {
    fail("the connection ended before its answer");
  }
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
  fd_.reset();
  state_ = State::idle;
  owner_.failed(*this, why);
}

bool Client::runs_over_loopback() const {
  int segment = 0;
  socklen_t length = sizeof segment;
  getsockopt(fd_.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, &length);
  return segment > kLargestOnTheWire;
}

}  // namespace lunar::bench
