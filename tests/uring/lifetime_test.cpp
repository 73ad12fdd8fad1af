#include <random>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

// How the peer sees the end: 0 for FIN, errno otherwise, with whatever bytes came before dropped.
int end_at_peer(const Fd& peer) {
  timeval limit{.tv_sec = 20, .tv_usec = 0};
  REQUIRE(setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  char chunk[65536];
  for (;;) {
    ssize_t got = recv(peer.get(), chunk, sizeof chunk, 0);
    if (got == 0) return 0;
    if (got < 0) return errno;
  }
}

}  // namespace

TEST_CASE("stream: an idle one costs its own memory and no buffer") {
  Ground ground;
  size_t before = FramePool::in_use();
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  send_all(pair.theirs, "request");
  CHECK(ground.until([&] { return stream->input_bytes() > 0; }));
  CHECK(take_all(*stream) == "request");
  stream->send(ground.piece("response"));
  CHECK(ground.until([&] { return stream->unsent() == 0; }));
  ground.settle();
  CHECK(FramePool::in_use() - before == sizeof(Stream));
  CHECK(sizeof(Stream) <= 256);
  CHECK(ground.loop.buffers().free_small() == ground.loop.buffers().total_small());
}

TEST_CASE("stream: released, it closes with FIN; with reset_on_close with RST") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  ground.settle();
  SUBCASE("FIN") {
    stream.reset();
    ground.settle();
    CHECK(end_at_peer(pair.theirs) == 0);
  }
  SUBCASE("RST") {
    stream->reset_on_close();
    stream.reset();
    ground.settle();
    CHECK(end_at_peer(pair.theirs) == ECONNRESET);
  }
  SUBCASE("RST with a write waiting for room") {
    for (int i = 0; i < 1000; ++i) stream->send(ground.piece(pattern(16'000)));
    ground.settle();
    CHECK(stream->unsent() > 0);
    stream->reset_on_close();
    stream.reset();
    ground.settle();
    CHECK(end_at_peer(pair.theirs) == ECONNRESET);
  }
  SUBCASE("RST with a bulk receive waiting") {
    stream->receive_in_bulk(true);
    ground.settle();
    stream->reset_on_close();
    stream.reset();
    ground.settle();
    CHECK(end_at_peer(pair.theirs) == ECONNRESET);
  }
}

TEST_CASE("stream: can be released in every state") {
  Ground ground;
  auto pair = tcp_pair();
  set_buffer(pair.ours, SO_SNDBUF, 4096);
  set_buffer(pair.theirs, SO_RCVBUF, 4096);
  StreamRef stream = ground.adopt(std::move(pair.ours));
  SUBCASE("fresh") {}
  SUBCASE("idle") { ground.settle(); }
  SUBCASE("with unread input") {
    send_all(pair.theirs, "unread");
    CHECK(ground.until([&] { return stream->input_bytes() == 6; }));
  }
  SUBCASE("with input on its way") {
    ground.settle();
    send_all(pair.theirs, pattern(2000));
  }
  SUBCASE("with a write on its way") { stream->send(ground.piece("x")); }
  SUBCASE("with a write that waits for room and more behind it") {
    for (int i = 0; i < 100; ++i) stream->send(ground.piece(pattern(10'000)));
    ground.settle();
    CHECK(stream->unsent() > 0);
  }
  SUBCASE("with a FIN to come") {
    for (int i = 0; i < 100; ++i) stream->send(ground.piece(pattern(10'000)));
    stream->finish_sending();
  }
  SUBCASE("pausing") {
    ground.settle();
    stream->pause();
  }
  SUBCASE("paused") {
    stream->pause();
    CHECK(ground.until([&] { return stream->paused(); }));
  }
  SUBCASE("pausing and resumed") {
    ground.settle();
    stream->pause();
    stream->resume();
  }
  SUBCASE("detached") {
    stream->pause();
    CHECK(ground.until([&] { return stream->paused(); }));
    Fd socket = stream->detach();
  }
  SUBCASE("bulk") {
    stream->receive_in_bulk(true);
    ground.settle();
  }
  SUBCASE("changing to bulk") {
    ground.settle();
    stream->receive_in_bulk(true);
  }
  SUBCASE("bulk with input on its way") {
    stream->receive_in_bulk(true);
    ground.settle();
    send_all(pair.theirs, pattern(2000));
  }
  SUBCASE("ended") {
    pair.theirs.reset();
    CHECK(ground.until([&] { return stream->ended(); }));
  }
  SUBCASE("ended and writing") {
    pair.theirs.reset();
    stream->send(ground.piece("x"));
  }
  SUBCASE("failed") {
    pair.theirs.reset();
    CHECK(ground.until([&] {
      stream->send(ground.piece("x"));
      return stream->error() != 0;
    }));
  }
  stream.reset();
  ground.settle();
}

TEST_CASE("stream: released at random moments of a busy life, memory and descriptors return") {
  std::mt19937 random(7);
  Ground ground(256);
  size_t descriptors = open_descriptors();
  for (int round = 0; round < 60; ++round) {
    std::vector<StreamRef> streams;
    std::vector<Fd> peers;
    for (int i = 0; i < 10; ++i) {
      auto pair = i % 2 == 0 ? tcp_pair() : unix_pair();
      streams.push_back(ground.adopt(std::move(pair.ours)));
      peers.push_back(std::move(pair.theirs));
    }
    for (int step = 0; step < 60; ++step) {
      size_t i = random() % streams.size();
      if (streams[i] == nullptr) continue;
      switch (random() % 10) {
        case 0:
          streams[i].reset();
          break;
        case 1:
          streams[i]->pause();
          break;
        case 2:
          streams[i]->resume();
          break;
        case 3:
          streams[i]->receive_in_bulk(random() % 2 == 0);
          break;
        case 4:
          send(peers[i].get(), "abcdefgh", 8, MSG_DONTWAIT | MSG_NOSIGNAL);
          break;
        case 5:
          streams[i]->send(ground.piece(pattern(random() % 16'000 + 1)));
          break;
        case 6:
          receive_available(peers[i]);
          break;
        case 7:
          take_all(*streams[i]);
          break;
        case 8:
          streams[i]->reset_on_close();
          break;
        default:
          ground.turns(1);
      }
    }
  }
  ground.settle();
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("stream: 10,000 opened and released leave no memory and no descriptor") {
  Ground ground;
  size_t descriptors = open_descriptors();
  allow_descriptors(4096);
  constexpr size_t at_once = 1000;
  for (size_t round = 0; round < 10; ++round) {
    std::vector<StreamRef> streams;
    std::vector<Fd> peers;
    for (size_t i = 0; i < at_once; ++i) {
      auto pair = unix_pair();
      streams.push_back(ground.adopt(std::move(pair.ours)));
      peers.push_back(std::move(pair.theirs));
      send_all(peers.back(), "ping");
    }
    CHECK(FramePool::in_use() - ground.frames == at_once * sizeof(Stream));
    REQUIRE(ground.until(
        [&] { return std::ranges::all_of(streams, [](const auto& stream) { return stream->input_bytes() == 4; }); }));
    for (auto& stream : streams) stream->send(stream->take());
    if (round % 2 == 0) {
      REQUIRE(ground.until(
          [&] { return std::ranges::all_of(streams, [](const auto& stream) { return stream->unsent() == 0; }); }));
    }
    streams.clear();
    REQUIRE(ground.until([&] { return FramePool::in_use() == ground.frames; }));
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("stream: a turn may cause more completions than the completion queue holds") {
  Ground ground;
  allow_descriptors(4096);
  constexpr size_t count = 1500;  // a write, a cancel and its victim each: 4,500 completions for 4,096 places
  std::vector<StreamRef> streams;
  std::vector<Fd> peers;
  for (size_t i = 0; i < count; ++i) {
    auto pair = unix_pair();
    streams.push_back(ground.adopt(std::move(pair.ours)));
    peers.push_back(std::move(pair.theirs));
  }
  ground.settle();
  for (int round = 0; round < 3; ++round) {
    for (auto& stream : streams) {
      stream->send(ground.piece("ping"));
      stream->pause();
    }
    bool posted = false;
    ground.loop.post([&] { posted = true; });
    REQUIRE(ground.until([&] {
      return posted && std::ranges::all_of(streams, [](const auto& s) { return s->paused() && s->unsent() == 0; });
    }));
    for (size_t i = 0; i < count; ++i) {
      REQUIRE(receive_available(peers[i]) == "ping");
      streams[i]->resume();
      send_all(peers[i], "pong");
    }
    REQUIRE(ground.until(
        [&] { return std::ranges::all_of(streams, [](const auto& s) { return s->input_bytes() == 4; }); }));
    for (auto& stream : streams) REQUIRE(take_all(*stream) == "pong");
  }
}
