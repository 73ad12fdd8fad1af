#include "agent/state/http_post.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lunar {
namespace {

constexpr size_t piece = 16 * 1024;

std::string connect_fault(int error) { return std::string("cannot connect: ") + std::strerror(error); }

}  // namespace

HttpPost::HttpPost(EventLoop& loop, Nanoseconds timeout) : loop_(loop), timeout_(timeout) {
  deadline_ = loop_.timer([this] {
    if (busy()) finish({0, fault_.empty() ? "no answer in time" : fault_}, false);
  });
}

void HttpPost::send(const Endpoint& to, std::string request, Done done) {
  done_ = std::move(done);
  request_ = std::move(request);
  written_ = 0;
  head_.clear();
  status_ = 0;
  fault_.clear();
  deadline_.fire_after(timeout_);
  if (!socket_) connect(to);
  if (!fault_.empty()) {
    deadline_.fire_after(Nanoseconds(0));
  } else {
    events_.watch(EPOLLIN | EPOLLOUT);
  }
}

void HttpPost::connect(const Endpoint& to) {
  sockaddr_storage address{};
  const socklen_t length = to.to(address);
  Fd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) {
    fault_ = connect_fault(errno);
    return;
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EINPROGRESS) {
    fault_ = connect_fault(errno);
    return;
  }
  socket_ = std::move(socket);
  events_ = loop_.io(socket_.get(), EPOLLIN | EPOLLOUT, [this](uint32_t events) { on_event(events); });
  if (events_) return;
  socket_.reset();
  fault_ = "the connection cannot be watched";
}

void HttpPost::close() {
  events_.reset();
  socket_.reset();
}

void HttpPost::on_event(uint32_t events) {
  // Nothing is expected between two exchanges: the other side closes, or is no HTTP server.
  if (!busy()) return close();
  if ((events & EPOLLOUT) != 0 && written_ < request_.size()) write();
  if (busy() && socket_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void HttpPost::write() {
  while (written_ < request_.size()) {
    const ssize_t count =
        ::send(socket_.get(), request_.data() + written_, request_.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return finish({0, std::string("cannot send: ") + std::strerror(errno)}, false);
    written_ += static_cast<size_t>(count);
  }
  events_.watch(EPOLLIN);
}

void HttpPost::read() {
  std::array<char, piece> buffer;
  while (busy() && socket_) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return finish({0, std::string("no answer: ") + std::strerror(errno)}, false);
    if (count == 0) {
      if (status_ != 0 && body_.complete_at_close()) return finish({status_, ""}, false);
      return finish({0, "the connection was closed before an answer"}, false);
    }
    take_bytes({buffer.data(), static_cast<size_t>(count)});
  }
}

void HttpPost::take_bytes(std::string_view bytes) {
  if (status_ != 0) return take_body(bytes);
  head_ += bytes;
  take_head();
}

void HttpPost::take_head() {
  http::ResponseHead head;
  const http::ParseState state = http::parse_response_head(head_, {}, head);
  if (state == http::ParseState::incomplete) return;
  if (state != http::ParseState::complete) return finish({0, "the answer is no HTTP"}, false);
  const std::string rest = head_.substr(head.size);
  if (head.interim()) {
    head_ = rest;
    return take_head();
  }
  status_ = head.status;
  keep_ = head.keep_alive;
  body_ = http::BodyScanner(head.framing);
  take_body(rest);
}

void HttpPost::take_body(std::string_view bytes) {
  const auto step = body_.scan(bytes);
  if (step.malformed) return finish({status_, ""}, false);
  // An answer before the request was sent whole leaves the connection without a known state.
  if (step.done || body_.done())
    finish({status_, ""}, keep_ && step.consumed == bytes.size() && written_ == request_.size());
}

void HttpPost::finish(const Answer& answer, bool keep) {
  deadline_.rest();
  if (keep) {
    events_.watch(EPOLLIN);
  } else {
    close();
  }
  request_.clear();
  if (const Done done = std::exchange(done_, {})) done(answer);
}

}  // namespace lunar
