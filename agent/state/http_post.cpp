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

std::unexpected<Error> connect_fault(int error) { return fail(std::string("cannot connect: ") + std::strerror(error)); }

}  // namespace

HttpPost::HttpPost(EventLoop& loop, Nanoseconds timeout, Secure secure)
    : loop_(loop), timeout_(timeout), secure_(std::move(secure)) {
  deadline_ = loop_.timer([this] {
    if (busy()) finish({0, fault_.empty() ? "no answer in time" : fault_}, false);
  });
}

void HttpPost::send(const Endpoint& to, std::string request, Done done) {
  ++exchange_;
  done_ = std::move(done);
  request_ = std::move(request);
  written_ = 0;
  head_.clear();
  status_ = 0;
  fault_.clear();
  deadline_.fire_after(timeout_);
  if (!socket_) {
    if (const Result<> connected = connect(to); !connected) fault_ = connected.error().text;
  }
  if (!fault_.empty()) {
    deadline_.fire_after(Nanoseconds(0));
  } else {
    events_.watch(EPOLLIN | EPOLLOUT);
  }
}

Result<> HttpPost::connect(const Endpoint& to) {
  std::unique_ptr<SecureChannel> channel;
  if (secure_) {
    auto made = secure_();
    if (!made) return std::unexpected(std::move(made.error()));
    channel = *std::move(made);
  }
  sockaddr_storage address{};
  const socklen_t length = to.to(address);
  Fd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return connect_fault(errno);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)
    return connect_fault(errno);
  events_ = loop_.io(socket.get(), EPOLLIN | EPOLLOUT, [this](uint32_t events) { on_event(events); });
  if (!events_) return fail("the connection cannot be watched");
  socket_ = std::move(socket);
  channel_ = std::move(channel);
  return {};
}

void HttpPost::close() {
  if (channel_ && socket_) {
    channel_->close();
    take_leave();
  }
  events_.reset();
  socket_.reset();
  channel_.reset();
}

void HttpPost::on_event(uint32_t events) {
  if (!busy()) return read_idle();
  if ((events & EPOLLOUT) != 0) write();
  if (busy() && socket_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

// What is to be sent next: of the request itself, or of what TLS makes of it.
std::string_view HttpPost::outgoing() {
  const std::string_view rest = std::string_view(request_).substr(written_);
  if (!channel_) return rest;
  if (!rest.empty()) written_ += channel_->write(rest);
  return channel_->output();
}

bool HttpPost::all_sent() const { return written_ == request_.size() && (!channel_ || channel_->output().empty()); }

void HttpPost::write() {
  for (std::string_view bytes = outgoing(); !bytes.empty(); bytes = outgoing()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return events_.watch(EPOLLIN | EPOLLOUT);
    if (count < 0) return finish({0, std::string("cannot send: ") + std::strerror(errno)}, false);
    if (channel_) {
      channel_->sent(static_cast<size_t>(count));
    } else {
      written_ += static_cast<size_t>(count);
    }
  }
  events_.watch(EPOLLIN);
}

// What TLS says beside a request: an alert, or the answer to something that a server said while it was idle. A peer
// that does not take it loses nothing.
void HttpPost::take_leave() {
  const std::string_view bytes = channel_->output();
  const ssize_t count =
      bytes.empty() ? 0 : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count > 0) channel_->sent(static_cast<size_t>(count));
}

void HttpPost::read() {
  std::array<char, piece> buffer;
  const uint64_t exchange = exchange_;
  while (busy() && exchange == exchange_) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return finish({0, std::string("no answer: ") + std::strerror(errno)}, false);
    if (count == 0) {
      if (channel_) channel_->end_of_input();
      return take_end();
    }
    const std::string_view bytes(buffer.data(), static_cast<size_t>(count));
    if (channel_) {
      take_encrypted(bytes);
    } else {
      take_bytes(bytes);
    }
  }
}

// Nothing is expected between two exchanges: the other side closes, or is no HTTP server. But TLS has things to say at
// any time, such as tickets (RFC 8446 §4.6).
void HttpPost::read_idle() {
  if (!channel_) return close();
  std::array<char, piece> buffer;
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0 || !decrypt({buffer.data(), static_cast<size_t>(count)}).empty() || !channel_->open()) return close();
  take_leave();
}

std::string HttpPost::decrypt(std::string_view bytes) {
  std::string out;
  std::array<char, piece> plaintext;
  size_t count = plaintext.size();
  while (count == plaintext.size()) {
    count = channel_->read(bytes, plaintext);
    out.append(plaintext.data(), count);
  }
  return out;
}

void HttpPost::take_encrypted(std::string_view bytes) {
  const uint64_t exchange = exchange_;
  const auto goes_on = [&] { return busy() && exchange == exchange_; };
  const std::string plaintext = decrypt(bytes);
  const bool over = !channel_->open();
  if (over) {
    take_leave();
  } else {
    write();  // its part of the handshake, and then the request
  }
  if (goes_on() && !plaintext.empty()) take_bytes(plaintext);
  if (goes_on() && over) take_end();
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
  if (step.done || body_.done()) finish({status_, ""}, keep_ && step.consumed == bytes.size() && all_sent());
}

// Nothing more comes. Of an answer the status is all that is wanted, and that was there.
void HttpPost::take_end() {
  if (status_ != 0 && body_.complete_at_close()) return finish({status_, ""}, false);
  const std::string fault = channel_ ? channel_->fault() : "";
  finish({0, fault.empty() ? "the connection was closed before an answer" : fault}, false);
}

void HttpPost::finish(const Answer& answer, bool keep) {
  deadline_.rest();
  if (keep && (!channel_ || channel_->open())) {
    events_.watch(EPOLLIN);
  } else {
    close();
  }
  request_.clear();
  if (const Done done = std::exchange(done_, {})) done(answer);
}

}  // namespace lunar
