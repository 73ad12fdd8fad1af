#include "agent/gateway/h2_connection.h"

#include <cerrno>
#include <deque>

#include "tests/uring/loopback.h"

using namespace lunar;
using lunar::gateway::H2Connection;
namespace ring = lunar::uring::test;

namespace {

// A client's and a server's HTTP/2 connection over loopback, in one loop.
struct Both {
  ring::Ground ground;
  uring::TaskGroup tasks;
  std::deque<uring::StreamRef> accepted;
  std::shared_ptr<H2Connection> client, server;

  explicit Both(http::H2Options options = {}) {
    ring::Pair sockets = ring::tcp_pair();
    options.scheme = "http";
    options.now = ground.loop.now();
    client = std::make_shared<H2Connection>(ground.loop, H2Connection::Role::client, options, nullptr);
    server = std::make_shared<H2Connection>(ground.loop, H2Connection::Role::server, options,
                                            [this](uring::StreamRef stream) { accepted.push_back(std::move(stream)); });
    tasks.start(H2Connection::carry(client, ground.adopt(std::move(sockets.theirs))));
    tasks.start(H2Connection::carry(server, ground.adopt(std::move(sockets.ours))));
  }
  ~Both() {
    accepted.clear();
    client->drain();
    server->drain();
    CHECK(ground.until([&] { return tasks.size() == 0; }));
    client.reset();
    server.reset();
  }

  [[nodiscard]] uring::StreamRef ask(std::string_view request) {
    uring::StreamRef stream = client->open();
    REQUIRE(stream != nullptr);
    stream->send(ground.piece(request));
    return stream;
  }
  [[nodiscard]] uring::StreamRef accept() {
    REQUIRE(ground.until([&] { return !accepted.empty(); }));
    uring::StreamRef out = std::move(accepted.front());
    accepted.pop_front();
    return out;
  }
  [[nodiscard]] std::string receive(uring::Stream& stream) {
    std::string all;
    CHECK(ground.until([&] {
      all += ring::take_all(stream);
      return stream.ended() || stream.error() != 0;
    }));
    return all;
  }
};

constexpr std::string_view get = "GET /things HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
constexpr std::string_view short_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace

TEST_CASE("HTTP/2 streams: a request and its answer go as HTTP/1.1 from one owner to the other") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  const std::string request = both.receive(*got);
  CHECK(request.starts_with("GET /things HTTP/1.1\r\n"));
  CHECK(request.contains("api.example.com\r\n"));
  CHECK(got->ended());
  got->send(both.ground.piece(short_answer));
  const std::string answer = both.receive(*asked);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.ends_with("\r\n\r\nhello"));
  CHECK(asked->ended());
  CHECK(asked->error() == 0);
}

TEST_CASE("HTTP/2 streams: an owner may leave when its answer is complete, whether it is sent or not") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  got->send(both.ground.piece("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + std::string(60'000, 'x')));
  REQUIRE(got->unsent() > 0);
  got.reset();
  const std::string answer = both.receive(*asked);
  CHECK(asked->error() == 0);
  CHECK(answer.ends_with(std::string(60'000, 'x')));
}

TEST_CASE("HTTP/2 streams: who leaves in the middle resets that stream alone, in both roles") {
  Both both;
  uring::StreamRef first = both.ask(get), second = both.ask(get), third = both.ask(get);
  uring::StreamRef at_first = both.accept(), at_second = both.accept(), at_third = both.accept();
  first.reset();
  CHECK(both.ground.until([&] { return at_first->error() != 0; }));
  CHECK(gateway::code_of(at_first->error()) == http::H2Code::cancel);
  at_second->send(both.ground.piece("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart"));
  at_second->reset_on_close(gateway::stream_error(http::H2Code::enhance_your_calm));
  at_second.reset();
  (void)both.receive(*second);
  CHECK(gateway::code_of(second->error()) == http::H2Code::enhance_your_calm);
  at_third->send(both.ground.piece(short_answer));
  CHECK(both.receive(*third).ends_with("hello"));
}

TEST_CASE("HTTP/2 streams: a refusal is told apart from a reset, because the request may be sent again") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  got->reset_on_close(gateway::stream_error(http::H2Code::refused_stream));
  got.reset();
  CHECK(both.ground.until([&] { return asked->error() != 0; }));
  CHECK(gateway::code_of(asked->error()) == http::H2Code::refused_stream);
}

TEST_CASE("HTTP/2 streams: codes are errors of their own, and no errno is a code") {
  using http::H2Code;
  for (uint32_t code : {0U, 1U, 7U, 8U, 13U, 0x7ffffffeU})
    CHECK(gateway::code_of(gateway::stream_error(H2Code{code})) == H2Code{code});
  for (uint32_t code : {0x7fffffffU, 0xffffffffU})
    CHECK(gateway::code_of(gateway::stream_error(H2Code{code})) == H2Code::internal_error);
  for (int error : {0, ECONNRESET, gateway::connection_lost}) CHECK(!gateway::code_of(error));
}

TEST_CASE("HTTP/2 streams: who has answered and leaves wants no more of the request, and says so behind the answer") {
  Both both;
  uring::StreamRef asked = both.ask("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  uring::StreamRef got = both.accept();
  got->send(both.ground.piece("HTTP/1.1 413 Too Large\r\nContent-Length: 60000\r\n\r\n" + std::string(60'000, 'x')));
  got.reset();
  std::string answer;
  CHECK(both.ground.until([&] {
    answer += ring::take_all(*asked);
    return asked->error() != 0;
  }));
  CHECK(answer.ends_with(std::string(60'000, 'x')));
  CHECK(gateway::code_of(asked->error()) == http::H2Code::no_error);
}

TEST_CASE("HTTP/2 streams: the owner learns that all of its answer is sent") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  uring::Waker waker(both.ground.loop);
  bool told = false;
  both.tasks.start([](uring::Waker& waker, uring::Stream& stream, bool& told) -> uring::Task<> {
    while (stream.unsent() > 0) co_await waker.wait(MonotonicTime::max());
    told = true;
  }(waker, *got, told));
  got->wake(&waker);
  got->wake_when_sent(true);
  got->send(both.ground.piece("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x')));
  CHECK(got->unsent() > 0);
  CHECK(both.receive(*asked).ends_with("xxx"));
  CHECK(both.ground.until([&] { return told; }));
}

TEST_CASE("HTTP/2 streams: a provider's lost connection takes the client's along, behind what had come") {
  Both both;
  uring::StreamRef asked = both.ask(get), other = both.ask(get);
  uring::StreamRef got = both.accept(), at_other = both.accept();
  got->send(both.ground.piece("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart"));
  got->reset_on_close(gateway::connection_lost);
  got.reset();
  CHECK(both.receive(*asked).ends_with("part"));
  CHECK(asked->error() == gateway::connection_lost);
  CHECK(both.ground.until([&] { return other->error() != 0 && at_other->error() != 0; }));
  CHECK(both.server->cut_off());
}

TEST_CASE("HTTP/2 streams: those of a connection that is never made are refused, for nobody has seen them") {
  ring::Ground ground;
  uring::TaskGroup tasks;
  auto connection = std::make_shared<H2Connection>(ground.loop, H2Connection::Role::client, http::H2Options{}, nullptr);
  uring::StreamRef asked = connection->open();
  asked->send(ground.piece(get));
  bool told = false;
  connection->when_closing([&told] { told = true; });
  Endpoint at;
  Fd listener = ring::listen_on_loopback(at, 0), waiting;
  auto connect_by = MonotonicTime::max();
  SUBCASE("there is nobody") { listener.reset(); }
  SUBCASE("nobody answers in time") {
    waiting = ring::connect_to(at);  // and there is no place for a second
    connect_by = ground.loop.now() + std::chrono::milliseconds(20);
  }
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  tasks.start(H2Connection::carry(connection, uring::Stream::connect(ground.loop, std::move(socket), at), connect_by));
  CHECK(ground.until([&] { return asked->error() != 0 && tasks.size() == 0; }));
  CHECK(gateway::code_of(asked->error()) == http::H2Code::refused_stream);
  CHECK(told);
  CHECK_FALSE(connection->reached());
}

TEST_CASE("HTTP/2 streams: the end is told when what came before it is with its owners") {
  Both provider;
  bool told = false;
  provider.client->when_closing([&told] { told = true; });
  uring::StreamRef asked = provider.ask(get);
  uring::StreamRef got = provider.accept();
  got->send(provider.ground.piece(short_answer));
  CHECK(provider.ground.until([&] { return asked->input() != nullptr; }));
  provider.server->drain();
  CHECK(provider.ground.until([&] { return provider.client->open() == nullptr; }));
  provider.ground.settle();
  CHECK_FALSE(told);
  (void)ring::take_all(*asked);
  CHECK(provider.ground.until([&] { return told; }));
}

TEST_CASE("HTTP/2 streams: a reader that does not read holds its sender back, and no other") {
  Both both;
  constexpr size_t size = 8'000'000;
  uring::StreamRef slow = both.ask(get), quick = both.ask(get);
  uring::StreamRef to_slow = both.accept(), to_quick = both.accept();
  to_slow->send(both.ground.piece("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n"));
  size_t queued = 0;
  auto pour = [&] {
    while (queued < size && to_slow->unsent() == 0) {
      to_slow->send(both.ground.piece(ring::pattern(100'000, queued)));
      queued += 100'000;
    }
  };
  CHECK(both.ground.until([&] {
    pour();
    return slow->input_bytes() >= 200'000 && to_slow->unsent() > 0;
  }));
  to_quick->send(both.ground.piece(short_answer));
  CHECK(both.receive(*quick).ends_with("hello"));
  CHECK(slow->input_bytes() < 400'000);
  CHECK(queued < 1'000'000);
  std::string all;
  CHECK(both.ground.until([&] {
    pour();
    all += ring::take_all(*slow);
    return slow->ended();
  }));
  const size_t head = all.find("\r\n\r\n") + 4;
  REQUIRE(all.size() == head + size);
  bool same = true;
  for (size_t at = 0; at < size; at += 100'000)
    same = same && all.compare(head + at, 100'000, ring::pattern(100'000, at)) == 0;
  CHECK(same);
}

TEST_CASE("HTTP/2 streams: what the peer takes no more of waits for its turn") {
  http::H2Options options;
  options.limits.concurrent_streams = 2;
  Both both(options);
  std::vector<uring::StreamRef> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(both.ask(get));
  for (auto& one : asked) {
    uring::StreamRef got = both.accept();
    got->send(both.ground.piece(short_answer));
    CHECK(both.receive(*one).ends_with("hello"));
    one.reset();
  }
}

TEST_CASE("HTTP/2 streams: a lost connection fails all of its streams, and takes no more") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  both.server->abort();
  CHECK(both.ground.until([&] { return asked->error() != 0 && got->error() != 0; }));
  CHECK(both.ground.until([&] { return both.client->open() == nullptr; }));
}

TEST_CASE("HTTP/2 streams: a connection that drains ends what has begun and takes nothing new") {
  Both both;
  uring::StreamRef asked = both.ask(get);
  uring::StreamRef got = both.accept();
  both.server->drain();
  both.ground.settle();
  CHECK(both.client->open() == nullptr);
  got->send(both.ground.piece(short_answer));
  CHECK(both.receive(*asked).ends_with("hello"));
  got.reset();
  asked.reset();
  CHECK(both.ground.until([&] { return both.tasks.size() == 0; }));
}
