#include "agent/failsafe/prober.h"

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "agent/base/fd.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

// A worker's port: what it does with a question is up to the test.
class Port {
 public:
  using Answer = std::function<std::string(const std::string& question)>;

  Port(EventLoop& loop, Answer answer) : loop_(loop), answer_(std::move(answer)) {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener_.get(), 16) == 0);
    source_ = loop_.io(listener_.get(), EPOLLIN, [this](uint32_t) { accept_one(); });
  }
  [[nodiscard]] Endpoint endpoint() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    REQUIRE(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    return Endpoint::from(address);
  }
  void close() {
    source_.reset();
    listener_.reset();
  }
  int accepted = 0;

 private:
  struct Client {
    Fd socket;
    EventLoop::Source source;
    std::string question;
  };
  void accept_one() {
    auto client = std::make_shared<Client>();
    client->socket.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    REQUIRE(client->socket);
    ++accepted;
    client->source = loop_.io(client->socket.get(), EPOLLIN, [this, raw = client.get()](uint32_t) { read(*raw); });
    clients_.push_back(std::move(client));
  }
  void read(Client& client) {
    char bytes[512];
    const ssize_t size = recv(client.socket.get(), bytes, sizeof bytes, 0);
    if (size <= 0) return client.source.reset();
    client.question.append(bytes, static_cast<size_t>(size));
    if (!client.question.ends_with("\r\n\r\n")) return;
    const std::string answer = answer_(client.question);
    CHECK(send(client.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer.size()));
  }

  EventLoop& loop_;
  Answer answer_;
  Fd listener_;
  EventLoop::Source source_;
  std::vector<std::shared_ptr<Client>> clients_;
};

std::string nonce_of(const std::string& question) {
  const std::string prefix = "GET /.lunar/probe/";
  REQUIRE(question.starts_with(prefix));
  return question.substr(prefix.size(), question.find(' ', prefix.size()) - prefix.size());
}

std::string right(const std::string& question) {
  const std::string nonce = nonce_of(question);
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(nonce.size()) + "\r\n\r\n" + nonce;
}

struct Bench {
  Nanoseconds deadline = 5s;
  EventLoop loop = std::move(EventLoop::create().value());
  std::vector<ProbeResult> results;
  Prober prober{loop, {.interval = 20ms, .deadline = deadline}, [this](const ProbeResult& r) { results.push_back(r); }};

  void until(size_t count) {
    const MonotonicTime end = monotonic_now() + 5s;
    while (results.size() < count && monotonic_now() < end) loop.run_once(50ms);
    REQUIRE(results.size() >= count);
  }
};

}  // namespace

TEST_CASE("prober: asks every worker again and again, each time something new") {
  Bench bench;
  std::vector<std::string> nonces;
  const auto answer = [&](const std::string& question) {
    nonces.push_back(nonce_of(question));
    return right(question);
  };
  Port first(bench.loop, answer), second(bench.loop, answer);
  bench.prober.ask({first.endpoint(), second.endpoint()});
  bench.until(6);
  bool seen[2] = {};
  for (const ProbeResult& result : bench.results) {
    CHECK(result.answered);
    CHECK(result.latency > 0ns);
    CHECK(result.latency < 5s);
    seen[result.worker] = true;
  }
  CHECK(seen[0]);
  CHECK(seen[1]);
  CHECK(first.accepted >= 2);
  std::sort(nonces.begin(), nonces.end());
  CHECK(std::adjacent_find(nonces.begin(), nonces.end()) == nonces.end());
}

TEST_CASE("prober: wrong answers are failures at once") {
  const std::vector<std::pair<const char*, Port::Answer>> wrong{
      {"status", [](const std::string& q) { return "HTTP/1.1 503 No\r\nContent-Length: 16\r\n\r\n" + nonce_of(q); }},
      {"nonce",
       [](const std::string&) {
         return std::string("HTTP/1.1 200 OK\r\n\r\n0000000000000000") + std::string(4096, 'x');
       }},
      {"protocol", [](const std::string& q) { return std::string(5000, 'x') + nonce_of(q); }},
  };
  for (const auto& [what, answer] : wrong) {
    CAPTURE(what);
    Bench bench;
    Port port(bench.loop, answer);
    bench.prober.ask({port.endpoint()});
    bench.until(1);
    CHECK_FALSE(bench.results[0].answered);
  }
}

TEST_CASE("prober: silence is a failure at the deadline, not before") {
  Bench bench{.deadline = 100ms};
  Port port(bench.loop, [](const std::string&) { return std::string(); });
  bench.prober.ask({port.endpoint()});
  bench.until(1);
  CHECK_FALSE(bench.results[0].answered);
  CHECK(bench.results[0].latency >= 100ms);
  CHECK(port.accepted > 1);  // it went on asking meanwhile
}

TEST_CASE("prober: a port that nobody listens on is a failure") {
  Bench bench;
  Port port(bench.loop, right);
  const Endpoint endpoint = port.endpoint();
  port.close();
  bench.prober.ask({endpoint});
  bench.until(2);
  CHECK_FALSE(bench.results[0].answered);
  CHECK(bench.results[0].latency < 5s);
}

TEST_CASE("prober: forgets its questions when the workers change or it stops") {
  Bench bench{.deadline = 500ms};
  Port silent(bench.loop, [](const std::string&) { return std::string(); });
  bench.prober.ask({silent.endpoint()});
  while (silent.accepted < 2) bench.loop.run_once(50ms);
  REQUIRE(bench.results.empty());
  Port good(bench.loop, right);
  bench.prober.ask({good.endpoint()});
  const MonotonicTime past = monotonic_now() + 600ms;  // the deadline of the forgotten ones
  while (monotonic_now() < past) bench.loop.run_once(10ms);
  CHECK(bench.results.size() > 2);
  for (const ProbeResult& result : bench.results) CHECK(result.answered);
  bench.prober.stop();
  bench.results.clear();
  const MonotonicTime end = monotonic_now() + 600ms;
  while (monotonic_now() < end) bench.loop.run_once(10ms);
  CHECK(bench.results.empty());
}
