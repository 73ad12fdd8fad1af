#include "agent/failsafe/prober.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "agent/base/fd.h"

namespace lunar {
namespace {

constexpr std::string_view kGood = "HTTP/1.1 200 ";
constexpr size_t kLongest = 4096;  // no answer to a probe is so long

}  // namespace

class Prober::Probe {
 public:
  enum class State : uint8_t { waiting, answered, failed };

  Probe(size_t worker, uint64_t nonce)
      : worker_(worker), started_(monotonic_now()), nonce_(fmt::format("{:016x}", nonce)) {}

  [[nodiscard]] bool connect(const Endpoint& to) {
    sockaddr_storage address{};
    const socklen_t length = to.to(address);
    socket_.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return false;
    // Closing by reset leaves no TIME_WAIT behind; ten probes a second would pile up hundreds.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    const int result = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), length);
    return result == 0 || errno == EINPROGRESS;
  }

  [[nodiscard]] State on_event() {
    if (!asked_) {
      const std::string question = fmt::format("GET /.lunar/probe/{} HTTP/1.1\r\nHost: lunard\r\n\r\n", nonce_);
      if (send(socket_.get(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
        return State::failed;
      asked_ = true;
      source.watch(EPOLLIN);
      return State::waiting;
    }
    std::array<char, 1024> bytes;
    const ssize_t size = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (size < 0) return errno == EAGAIN || errno == EINTR ? State::waiting : State::failed;
    answer_.append(bytes.data(), static_cast<size_t>(size));
    if (is_right()) return State::answered;
    return size == 0 || is_wrong() ? State::failed : State::waiting;
  }

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] ProbeResult result(bool answered) const {
    return {.worker = worker_, .answered = answered, .latency = monotonic_now() - started_};
  }

 private:
  [[nodiscard]] bool is_right() const {
    const std::string_view answer = answer_;
    return answer.starts_with(kGood) && answer.ends_with("\r\n\r\n" + nonce_);
  }
  [[nodiscard]] bool is_wrong() const {
    return answer_.size() > kLongest ||
           !std::string_view(answer_).substr(0, kGood.size()).starts_with(kGood.substr(0, answer_.size()));
  }

  size_t worker_;
  MonotonicTime started_;
  std::string nonce_;
  Fd socket_;
  bool asked_ = false;
  std::string answer_;

 public:  // after the socket: an event source must go before its descriptor
  EventLoop::Source source;
  EventLoop::Source deadline;
};

Prober::Prober(EventLoop& loop, ProbeTiming timing, Report report)
    : loop_(loop), timing_(timing), report_(std::move(report)) {
  if (getrandom(&nonce_, sizeof nonce_, 0) != sizeof nonce_)
    nonce_ = static_cast<uint64_t>(monotonic_now().time_since_epoch().count());
  tick_ = loop_.timer([this] { round(); });
}

Prober::~Prober() = default;

void Prober::ask(std::vector<Endpoint> workers) {
  workers_ = std::move(workers);
  pending_.clear();
  if (workers_.empty()) {
    tick_.rest();
  } else {
    tick_.fire_after(Nanoseconds(0));
  }
}

void Prober::round() {
  tick_.fire_after(timing_.interval);
  std::vector<ProbeResult> refused;  // reported last: a report may change what is asked
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    Probe& probe = pending_.emplace_back(worker, ++nonce_);
    if (!probe.connect(workers_[worker])) {
      refused.push_back(probe.result(false));
      pending_.pop_back();
      continue;
    }
    probe.source = loop_.io(probe.fd(), EPOLLOUT, [this, &probe](uint32_t) {
      const Probe::State state = probe.on_event();
      if (state != Probe::State::waiting) settle(probe, state == Probe::State::answered);
    });
    probe.deadline = loop_.timer([this, &probe] { settle(probe, false); });
    probe.deadline.fire_after(timing_.deadline);
  }
  for (const ProbeResult& result : refused) report_(result);
}

void Prober::settle(Probe& probe, bool answered) {
  const ProbeResult result = probe.result(answered);
  pending_.remove_if([&probe](const Probe& other) { return &other == &probe; });
  report_(result);
}

}  // namespace lunar
