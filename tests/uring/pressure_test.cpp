#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

unsigned used_small(Ground& ground) { return ground.loop.buffers().total_small() - ground.loop.buffers().free_small(); }

}  // namespace

TEST_CASE("stream: a reader that takes nothing stops a sender of 100 MB, in bounded memory, and loses nothing") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  constexpr size_t total = 100'000'000;
  const std::string block = pattern(1'000'000);
  std::atomic<size_t> sent = 0;
  std::jthread peer([&] {
    for (size_t i = 0; i < total / block.size(); ++i) {
      send_all(pair.theirs, block);
      sent += block.size();
    }
    pair.theirs.reset();
  });
  size_t before = 1;
  CHECK(ground.until([&, quiet = 0]() mutable {
    quiet = sent == before ? quiet + 1 : 0;
    before = sent;
    return quiet > 40;
  }));
  CHECK(sent < total);
  // The window, and what one turn of the kernel delivers before the stop reaches it.
  CHECK(stream->input_bytes() >= Stream::input_window);
  CHECK(stream->input_bytes() < 8u << 20);
  CHECK(used_small(ground) <= stream->input_bytes() / BufferPool::small_size * 2 + 2);

  size_t got = 0;
  size_t wrong = 0;
  uint32_t most = 0;
  CHECK(ground.until([&] {
    most = std::max(most, stream->input_bytes());
    while (stream->input() != nullptr) {
      BufferRef piece = stream->take();
      for (size_t done = 0; done < piece->size();) {
        size_t at = (got + done) % block.size();
        size_t part = std::min(piece->size() - done, block.size() - at);
        wrong += piece->view().substr(done, part) == std::string_view(block).substr(at, part) ? 0 : 1;
        done += part;
      }
      got += piece->size();
    }
    return stream->ended();
  }));
  CHECK(got == total);
  CHECK(wrong == 0);
  CHECK(most < 8u << 20);
}

TEST_CASE("stream: taking less than the window does not start the flood again") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  std::atomic<bool> leave = false;
  std::jthread peer([&] {
    std::string block = pattern(100'000);
    while (!leave && send(pair.theirs.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) continue;
  });
  CHECK(ground.until([&] { return stream->input_bytes() >= Stream::input_window; }));
  ground.settle();
  for (int i = 0; i < 50; ++i) {
    if (stream->input() != nullptr) stream->take().reset();
    ground.settle();
    CHECK(stream->input_bytes() < 8u << 20);
  }
  leave = true;
  stream.reset();
  ground.settle();
}

TEST_CASE("stream: a peer that sends byte by byte does not hold a buffer per byte") {
  Ground ground(256);
  auto pair = tcp_pair();
  int yes = 1;
  REQUIRE(setsockopt(pair.theirs.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  StreamRef stream = ground.adopt(std::move(pair.ours));
  const std::string text = pattern(3000);
  for (size_t i = 0; i < text.size(); ++i) {
    send_all(pair.theirs, std::string_view(text).substr(i, 1));
    REQUIRE(ground.until([&] { return stream->input_bytes() == i + 1; }));
  }
  CHECK(used_small(ground) <= 2);
  CHECK(take_all(*stream) == text);
}

TEST_CASE("stream: when buffers are scarce, small unread pieces leave them") {
  Ground ground(64);
  std::vector<StreamRef> slow;
  std::vector<Fd> peers;
  constexpr size_t count = 500;
  for (size_t i = 0; i < count; ++i) {
    auto pair = unix_pair();
    slow.push_back(ground.adopt(std::move(pair.ours)));
    peers.push_back(std::move(pair.theirs));
    send_all(peers.back(), "GET / HT");
    REQUIRE(ground.until([&] { return slow.back()->input_bytes() == 8; }));
  }
  CHECK(ground.loop.buffers().free_small() > 0);
  for (size_t i = 0; i < count; ++i) {
    send_all(peers[i], "TP/1.1\r\n\r\n");
    REQUIRE(ground.until([&] { return slow[i]->input_bytes() == 18; }));
    slow[i]->gather(18);
    CHECK(slow[i]->input()->view() == "GET / HTTP/1.1\r\n\r\n");
  }
}

TEST_CASE("stream: with every provided buffer held by slow streams the others still progress") {
  Ground ground(16);
  BufferPool& buffers = ground.loop.buffers();
  std::vector<StreamRef> slow;
  std::vector<Fd> slow_peers;
  for (int i = 0; i < 40; ++i) {
    auto pair = unix_pair();
    slow.push_back(ground.adopt(std::move(pair.ours)));
    slow_peers.push_back(std::move(pair.theirs));
    send_all(slow_peers.back(), pattern(16'000, static_cast<size_t>(i)));
    REQUIRE(ground.until([&] { return slow.back()->input_bytes() > 0; }));
  }
  ground.settle();
  CHECK(buffers.free_small() == 0);

  SUBCASE("as they come, small and large, and sending needs no provided buffer either") {
    auto pair = tcp_pair();
    StreamRef quick = ground.adopt(std::move(pair.ours));
    const std::string text = pattern(500'000);
    std::jthread peer([&] {
      send_all(pair.theirs, "hello");
      send_all(pair.theirs, text);
    });
    std::string got;
    CHECK(ground.until([&] {
      got += take_all(*quick);
      return got.size() == text.size() + 5;
    }));
    CHECK(got == "hello" + text);
    quick->send(ground.piece("answer"));
    CHECK(ground.until([&] { return quick->unsent() == 0; }));
    CHECK(receive_available(pair.theirs) == "answer");
  }
  SUBCASE("those that were idle before, too") {
    auto pair = unix_pair();
    StreamRef quick = ground.adopt(std::move(pair.ours));
    ground.settle();
    for (int i = 0; i < 20; ++i) {
      send_all(pair.theirs, "ping");
      REQUIRE(ground.until([&] { return quick->input_bytes() == 4; }));
      CHECK(take_all(*quick) == "ping");
    }
  }
  SUBCASE("released in this state") {
    auto pair = unix_pair();
    StreamRef quick = ground.adopt(std::move(pair.ours));
    ground.settle();
    quick.reset();
    ground.settle();
  }
  // The slow ones lost nothing, and buffers come back when they are read.
  for (size_t i = 0; i < slow.size(); ++i) {
    std::string got;
    CHECK(ground.until([&] {
      got += take_all(*slow[i]);
      return got.size() == 16'000;
    }));
    CHECK(got == pattern(16'000, i));
  }
  auto pair = unix_pair();
  StreamRef late = ground.adopt(std::move(pair.ours));
  send_all(pair.theirs, "back to normal");
  CHECK(ground.until([&] { return late->input_bytes() == 14; }));
  CHECK(late->input()->capacity == BufferPool::small_size);
  CHECK(take_all(*late) == "back to normal");
}

TEST_CASE("stream: exhaustion does not make the loop spin") {
  Ground ground(16);
  std::vector<StreamRef> slow;
  std::vector<Fd> peers;
  for (int i = 0; i < 100; ++i) {
    auto pair = unix_pair();
    slow.push_back(ground.adopt(std::move(pair.ours)));
    peers.push_back(std::move(pair.theirs));
    send_all(peers.back(), pattern(100'000));
  }
  ground.settle();
  ground.settle();
  int turns = 0;
  MonotonicTime end = monotonic_now() + milliseconds(200);
  CHECK(ground.until([&] {
    ++turns;
    return monotonic_now() >= end;
  }));
  CHECK(turns < 100);  // one per 5 ms beat, and a few
}

TEST_CASE("stream: need() receives a long head whole although buffers are scarce") {
  Ground ground(16);
  std::vector<StreamRef> slow;
  std::vector<Fd> peers;
  for (int i = 0; i < 12; ++i) {
    auto pair = unix_pair();
    slow.push_back(ground.adopt(std::move(pair.ours)));
    peers.push_back(std::move(pair.theirs));
    send_all(peers.back(), pattern(16'000));
    REQUIRE(ground.until([&] { return slow.back()->input_bytes() > 0; }));
  }
  CHECK(ground.loop.buffers().scarce());
  auto pair = unix_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  const std::string head = pattern(60'000);
  send_all(pair.theirs, head);
  stream->need(60'000);
  CHECK(ground.until([&] { return stream->input_bytes() == head.size(); }));
  stream->gather(60'000);
  CHECK(stream->input()->view() == head);
}
