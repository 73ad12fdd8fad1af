#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

std::string receive_exactly(const Fd& socket, size_t bytes) {
  std::string all(bytes, '\0');
  size_t got = 0;
  while (got < bytes) {
    ssize_t more = recv(socket.get(), all.data() + got, bytes - got, 0);
    if (more <= 0) break;
    got += static_cast<size_t>(more);
  }
  all.resize(got);
  return all;
}

}  // namespace

TEST_CASE("stream: sends pieces in order, however many are queued at once") {
  for (size_t count : {1ul, 2ul, 7ul, 8ul, 9ul, 16ul, 17ul, 500ul}) {
    Ground ground;
    auto pair = tcp_pair();
    StreamRef stream = ground.adopt(std::move(pair.ours));
    std::string expected;
    for (size_t i = 0; i < count; ++i) {
      std::string text = "[" + std::to_string(i) + "]" + pattern(i % 90, i);
      stream->send(ground.piece(text));
      expected += text;
    }
    CHECK(stream->unsent() == expected.size());
    CHECK(ground.until([&] { return stream->unsent() == 0; }));
    CHECK(stream->sent_bytes() == expected.size());
    CHECK(receive_exactly(pair.theirs, expected.size()) == expected);
  }
}

TEST_CASE("stream: thousands of gathered writes in one turn each carry their own bytes") {
  Ground ground;
  constexpr size_t connections = 40;
  constexpr size_t rounds = 60;  // more gathered writes in all than any scratch memory holds
  std::vector<StreamRef> streams;
  std::vector<Fd> peers;
  for (size_t i = 0; i < connections; ++i) {
    auto pair = unix_pair();
    streams.push_back(ground.adopt(std::move(pair.ours)));
    peers.push_back(std::move(pair.theirs));
  }
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < connections; ++i) {
      // The first write of a round goes alone, the others wait for it and go together.
      for (const char* part : {"a", "b", "c"})
        streams[i]->send(ground.piece(part + std::to_string(i * rounds + round) + ";"));
    }
    REQUIRE(ground.until(
        [&] { return std::ranges::all_of(streams, [](const auto& stream) { return stream->unsent() == 0; }); }));
    for (size_t i = 0; i < connections; ++i) {
      std::string id = std::to_string(i * rounds + round) + ";";
      REQUIRE(receive_available(peers[i]) == "a" + id + "b" + id + "c" + id);
    }
  }
}

TEST_CASE("stream: a tiny send buffer and a slow reader change nothing but the pace") {
  Ground ground;
  auto pair = tcp_pair();
  set_buffer(pair.ours, SO_SNDBUF, 4096);
  set_buffer(pair.theirs, SO_RCVBUF, 4096);
  StreamRef stream = ground.adopt(std::move(pair.ours));
  const std::string text = pattern(60'000);
  for (size_t at = 0; at < text.size();) {
    size_t size = std::min<size_t>(1 + (at * 7919) % 16'000, text.size() - at);
    stream->send(ground.piece(std::string_view(text).substr(at, size)));
    at += size;
  }
  stream->finish_sending();
  CHECK_FALSE(stream->finished_sending());
  std::string got;
  std::jthread reader([&] { got = receive_exactly(pair.theirs, text.size() + 1); });
  CHECK(ground.until([&] { return stream->finished_sending(); }));
  reader.join();
  CHECK(got == text);
}

TEST_CASE("stream: wakes when everything was sent, only if that is wanted") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  int calls = 0;
  stream->watch([](Stream&, void* context) { ++*static_cast<int*>(context); }, &calls);
  stream->send(ground.piece("quiet"));
  CHECK(ground.until([&] { return stream->unsent() == 0; }));
  ground.settle();
  CHECK(calls == 0);
  stream->wake_when_sent(true);
  stream->send(ground.piece("loud"));
  stream->send(ground.piece("er"));
  CHECK(ground.until([&] { return calls > 0; }));
  CHECK(stream->unsent() == 0);
  CHECK(calls == 1);
}

TEST_CASE("stream: the FIN comes behind what was queued, and we still hear the peer") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  for (int i = 0; i < 20; ++i) stream->send(ground.piece("x"));
  stream->finish_sending();
  stream->finish_sending();
  CHECK(ground.until([&] { return stream->finished_sending(); }));
  CHECK(receive_exactly(pair.theirs, 100) == std::string(20, 'x'));
  send_all(pair.theirs, "reply after your FIN");
  CHECK(ground.until([&] { return stream->input_bytes() == 20; }));
  CHECK_FALSE(stream->end_seen());
  pair.theirs.reset();
  CHECK(ground.until([&] { return stream->end_seen(); }));
  CHECK(take_all(*stream) == "reply after your FIN");
  CHECK(stream->error() == 0);
}

TEST_CASE("stream: a FIN without anything queued goes at once") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  stream->finish_sending();
  CHECK(stream->finished_sending());
  char byte = 0;
  CHECK(recv(pair.theirs.get(), &byte, 1, 0) == 0);
}

TEST_CASE("stream: writing to a peer that is gone is an error, drops the queue and every later piece") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  send_all(pair.theirs, "x");
  CHECK(ground.until([&] { return stream->input_bytes() == 1; }));
  pair.theirs.reset();
  CHECK(ground.until([&] {
    for (int i = 0; i < 3; ++i) stream->send(ground.piece("into the void"));
    return stream->error() != 0;
  }));
  CHECK((stream->error() == EPIPE || stream->error() == ECONNRESET));
  ground.settle();
  CHECK(stream->unsent() == 0);
  unsigned free = ground.loop.buffers().free_small();
  stream->send(ground.piece("too late"));
  CHECK(stream->unsent() == 0);
  CHECK(ground.loop.buffers().free_small() == free);
  CHECK(take_all(*stream) == "x");
}

TEST_CASE("stream: a reset while a write waits for room ends the write") {
  Ground ground;
  auto pair = tcp_pair();
  set_buffer(pair.ours, SO_SNDBUF, 4096);
  set_buffer(pair.theirs, SO_RCVBUF, 4096);
  StreamRef stream = ground.adopt(std::move(pair.ours));
  for (int i = 0; i < 200; ++i) stream->send(ground.piece(pattern(16'000)));
  ground.settle();
  CHECK(stream->unsent() > 0);
  pair.theirs.reset();  // with unread bytes: a reset
  CHECK(ground.until([&] { return stream->error() != 0 && stream->unsent() == 0; }));
  CHECK(stream->error() == ECONNRESET);
  ground.settle();
  CHECK_FALSE(stream->end_seen());  // not mistaken for a FIN
}

TEST_CASE("stream: pieces received on one stream are sent on another without a copy") {
  Ground ground;
  auto in = tcp_pair();
  auto out = tcp_pair();
  StreamRef from = ground.adopt(std::move(in.ours));
  StreamRef to = ground.adopt(std::move(out.ours));
  send_all(in.theirs, "carry me");
  CHECK(ground.until([&] { return from->input_bytes() == 8; }));
  BufferRef piece = from->take();
  from.reset();
  to->send(std::move(piece));
  CHECK(ground.until([&] { return to->unsent() == 0; }));
  CHECK(receive_exactly(out.theirs, 8) == "carry me");
}
