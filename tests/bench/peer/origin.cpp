#include "tests/bench/peer/origin.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/bench/peer/channel.h"

namespace lunar::bench {

namespace {

constexpr uint64_t kSmallBody = 64UL << 10;  // up to here an answer is one prepared text
constexpr uint32_t kReading = EPOLLIN;

// Listens in the namespace at `path` and leaves the process where it was.
Fd listen_in(const char* path, const Endpoint& address) {
  Fd home(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  Fd there(open(path, O_RDONLY | O_CLOEXEC));
  if (!home || !there) die("open the network namespace");
  if (setns(there.get(), CLONE_NEWNET) < 0) die("setns");
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int one = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage where{};
  socklen_t length = address.to(where);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&where), length) < 0) die("bind the origin");
  if (listen(listener.get(), 16384) < 0) die("listen");
  if (setns(home.get(), CLONE_NEWNET) < 0) die("setns back");
  return listener;
}

}  // namespace

class OriginConnection final : public Watcher {
 public:
  explicit OriginConnection(Origin& origin) : origin_(origin) {}

  void open(Fd fd) {
    origin_.reactor_.add(fd.get(), kReading, *this);
    channel_.open(std::move(fd), origin_.tls_);
  }

  void ready(uint32_t events) override {
    if (!channel_.is_open()) return;
    if (events & EPOLLOUT) {
      send_rest();
      return;
    }
    while (receive() && channel_.holds_input()) {
    }
  }

  void answer() {
    if (asked_.body_size <= kSmallBody) {
      text_ = origin_.small_answer(asked_);
      body_at_ = body_end_ = 0;
    } else {
      carry_ = answer_head(asked_.body_size, asked_.ending).append(asked_.number.data(), kNumberDigits);
      text_ = carry_;
      body_at_ = kNumberDigits;
      body_end_ = asked_.body_size;
    }
    send_rest();
  }

 private:
  // False when nothing came.
  bool receive() {
    ssize_t count = channel_.receive(origin_.scratch_);
    if (count > 0) take({origin_.scratch_.data(), static_cast<size_t>(count)});
    if (count == 0 || (count < 0 && errno != EAGAIN)) close();
    return count > 0;
  }

  void take(std::string_view bytes) {
    if (!carry_.empty()) bytes = carry_.append(bytes);
    size_t size = head_size(bytes);
    if (size == 0) {
      if (bytes.data() != carry_.data()) carry_ = bytes;
      return;
    }
    std::optional<Asked> asked = parse_request(bytes.substr(0, size));
    // Nothing in this bench pipelines, so bytes behind the head are as wrong as a head that nobody sent.
    if (!asked || size != bytes.size()) {
      close();
      return;
    }
    carry_.clear();
    asked_ = *asked;
    if (origin_.holding_) {
      origin_.held_.push_back(this);
    } else {
      answer();
    }
  }

  void send_rest() {
    while (!text_.empty() || body_at_ < body_end_) {
      std::string_view next = text_;
      if (next.empty())
        next = {origin_.pattern_.at(body_at_), std::min<uint64_t>(Pattern::kSlice, body_end_ - body_at_)};
      ssize_t sent = channel_.send(next);
      if (sent < 0) {
        errno == EAGAIN ? wait_writable() : close();
        return;
      }
      text_.empty() ? void(body_at_ += static_cast<uint64_t>(sent)) : text_.remove_prefix(static_cast<size_t>(sent));
    }
    carry_.clear();
    if (writing_) origin_.reactor_.modify(channel_.fd(), kReading, *this);
    writing_ = false;
    if (asked_.ending == Ending::close) close();
  }

  void wait_writable() {
    if (!text_.empty() && text_.data() != carry_.data()) {  // the prepared text belongs to everyone
      std::string rest(text_);
      carry_.swap(rest);
      text_ = carry_;
    }
    if (!writing_) origin_.reactor_.modify(channel_.fd(), EPOLLOUT, *this);
    writing_ = true;
  }

  void close() {
    std::erase(origin_.held_, this);
    channel_.close();
    carry_.clear();
    text_ = {};
    writing_ = false;
    origin_.free_.push_back(this);
  }

  Origin& origin_;
  Channel channel_;
  std::string carry_;  // a head in pieces, or the part of an answer that did not fit
  std::string_view text_;
  uint64_t body_at_ = 0;
  uint64_t body_end_ = 0;
  Asked asked_{};
  bool writing_ = false;
};

Origin::Origin(Reactor& reactor, const Pattern& pattern, const char* netns, const Endpoint& address,
               const TlsContext* tls)
    : reactor_(reactor),
      pattern_(pattern),
      tls_(tls),
      listener_(listen_in(netns, address)),
      scratch_(64UL << 10, '\0') {
  reactor_.add(listener_.get(), EPOLLIN, *this);
}

Origin::~Origin() = default;

void Origin::ready(uint32_t /*events*/) {
  for (;;) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      die("accept");
    }
    if (free_.empty()) {
      connections_.push_back(std::make_unique<OriginConnection>(*this));
      free_.push_back(connections_.back().get());
    }
    OriginConnection* connection = free_.back();
    free_.pop_back();
    connection->open(std::move(fd));
  }
}

void Origin::release() {
  holding_ = false;
  std::vector<OriginConnection*> waiting;
  waiting.swap(held_);
  for (OriginConnection* connection : waiting) connection->answer();
}

std::string_view Origin::small_answer(const Asked& asked) {
  if (answer_size_ != asked.body_size || answer_ending_ != asked.ending) {
    answer_size_ = asked.body_size;
    answer_ending_ = asked.ending;
    answer_ = answer_head(asked.body_size, asked.ending);
    answer_head_size_ = answer_.size();
    answer_.append(kNumberDigits, '0').append(pattern_.at(kNumberDigits), asked.body_size - kNumberDigits);
  }
  std::ranges::copy(asked.number, answer_.begin() + static_cast<ptrdiff_t>(answer_head_size_));
  return answer_;
}

}  // namespace lunar::bench
