#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

StreamRef begin_connect(Ground& ground, const Endpoint& destination) {
  auto socket = open_tcp_socket(destination);
  REQUIRE(socket.has_value());
  return Stream::connect(ground.loop, std::move(*socket), destination);
}

// A listener whose queue is full: the next connect stays without an answer.
struct Silent {
  Endpoint at;
  Fd listener = listen_on_loopback(at, 0);
  Fd queued = connect_to(at);
};

}  // namespace

TEST_CASE("stream: connects, sends what was queued before, receives what comes") {
  Ground ground;
  Endpoint at;
  Fd listener = listen_on_loopback(at);
  StreamRef stream = begin_connect(ground, at);
  CHECK(stream->connecting());
  stream->send(ground.piece("early "));
  stream->send(ground.piece("bird"));
  stream->finish_sending();
  CHECK_FALSE(stream->finished_sending());
  CHECK(ground.until([&] { return !stream->connecting(); }));
  CHECK(stream->error() == 0);
  Fd peer(accept(listener.get(), nullptr, nullptr));
  CHECK(ground.until([&] { return stream->finished_sending(); }));
  CHECK(receive_available(peer) == "early bird");
  send_all(peer, "worm");
  CHECK(ground.until([&] { return stream->input_bytes() == 4; }));
  CHECK(take_all(*stream) == "worm");
}

TEST_CASE("stream: an IPv6 destination is reached too") {
  Ground ground;
  Fd listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto at = Endpoint::parse("[::1]:0");
  REQUIRE(at.has_value());
  sockaddr_storage address{};
  socklen_t length = at->to(address);
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener.get(), 8) == 0);
  REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  StreamRef stream = begin_connect(ground, Endpoint::from(address));
  CHECK(ground.until([&] { return !stream->connecting(); }));
  CHECK(stream->error() == 0);
}

TEST_CASE("stream: refusal is an error, tells the owner and drops what was queued") {
  Ground ground;
  Endpoint nobody;
  listen_on_loopback(nobody).reset();
  StreamRef stream = begin_connect(ground, nobody);
  int calls = 0;
  stream->watch([](Stream&, void* context) { ++*static_cast<int*>(context); }, &calls);
  stream->send(ground.piece("never to arrive"));
  CHECK(ground.until([&] { return stream->error() != 0; }));
  CHECK(stream->error() == ECONNREFUSED);
  CHECK_FALSE(stream->connecting());
  CHECK(stream->unsent() == 0);
  CHECK(calls == 1);
}

TEST_CASE("stream: a connect that gets no answer can be given up at any time") {
  Ground ground;
  Silent silent;
  SUBCASE("at once, before it was even submitted") {
    StreamRef stream = begin_connect(ground, silent.at);
    stream.reset();
  }
  SUBCASE("while it waits") {
    StreamRef stream = begin_connect(ground, silent.at);
    ground.settle();
    CHECK(stream->connecting());
    CHECK(stream->error() == 0);
    stream.reset();
  }
  SUBCASE("with bytes queued and paused") {
    StreamRef stream = begin_connect(ground, silent.at);
    stream->send(ground.piece("never sent"));
    stream->pause();
    CHECK(stream->paused());
    ground.settle();
    CHECK(stream->connecting());
    stream.reset();
  }
  ground.settle();
}

TEST_CASE("stream: a stream paused while connecting receives only when resumed") {
  Ground ground;
  Endpoint at;
  Fd listener = listen_on_loopback(at);
  StreamRef stream = begin_connect(ground, at);
  stream->pause();
  CHECK(ground.until([&] { return !stream->connecting(); }));
  Fd peer(accept(listener.get(), nullptr, nullptr));
  send_all(peer, "hello");
  ground.settle();
  CHECK(stream->input() == nullptr);
  stream->resume();
  CHECK(ground.until([&] { return stream->input_bytes() == 5; }));
  CHECK(take_all(*stream) == "hello");
}

TEST_CASE("stream: hundreds of connects in one turn each reach their own destination") {
  Ground ground;
  constexpr size_t count = 600;
  std::vector<Fd> listeners;
  std::vector<Endpoint> places(8);
  for (auto& place : places) listeners.push_back(listen_on_loopback(place));
  std::vector<StreamRef> streams;
  for (size_t i = 0; i < count; ++i) streams.push_back(begin_connect(ground, places[i % places.size()]));
  CHECK(ground.until(
      [&] { return std::ranges::none_of(streams, [](const auto& stream) { return stream->connecting(); }); }));
  for (size_t i = 0; i < count; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    REQUIRE(getpeername(streams[i]->fd(), reinterpret_cast<sockaddr*>(&peer), &length) == 0);
    CHECK(Endpoint::from(peer) == places[i % places.size()]);
  }
}
