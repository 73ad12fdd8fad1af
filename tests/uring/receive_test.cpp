#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

// The same body over both kinds of socket.
template <class Body>
void over_both(Body body) {
  SUBCASE("unix") { body(unix_pair()); }
  SUBCASE("tcp") { body(tcp_pair()); }
}

}  // namespace

TEST_CASE("stream: bytes arrive in order, then the end; nobody was told anything before") {
  over_both([](Pair pair) {
    Ground ground;
    StreamRef stream = ground.adopt(std::move(pair.ours));
    ground.settle();
    CHECK(stream->input() == nullptr);
    CHECK_FALSE(stream->end_seen());

    send_all(pair.theirs, "hello ");
    send_all(pair.theirs, "world");
    CHECK(ground.until([&] { return stream->input_bytes() == 11; }));
    CHECK_FALSE(stream->end_seen());
    pair.theirs.reset();
    CHECK(ground.until([&] { return stream->end_seen(); }));
    CHECK_FALSE(stream->ended());  // unread bytes come first
    CHECK(take_all(*stream) == "hello world");
    CHECK(stream->ended());
    CHECK(stream->error() == 0);
  });
}

TEST_CASE("stream: a reset is an error, and the bytes before it that had arrived stay readable") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  send_all(pair.theirs, "last words");
  CHECK(ground.until([&] { return stream->input_bytes() == 10; }));
  abort_connection(pair.theirs);
  CHECK(ground.until([&] { return stream->error() != 0; }));
  CHECK(stream->error() == ECONNRESET);
  CHECK_FALSE(stream->ended());
  CHECK(take_all(*stream) == "last words");
}

TEST_CASE("stream: no socket at all is an error like any other") {
  Ground ground;
  StreamRef stream = ground.adopt(Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)));
  CHECK(ground.until([&] { return stream->error() != 0; }));
  CHECK(stream->error() == ENOTSOCK);
}

TEST_CASE("stream: sockets that somebody made non-blocking work the same") {
  over_both([](Pair pair) {
    Ground ground;
    REQUIRE(fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) == 0);
    StreamRef stream = ground.adopt(std::move(pair.ours));
    ground.settle();
    CHECK(stream->error() == 0);
    send_all(pair.theirs, "late");
    CHECK(ground.until([&] { return stream->input_bytes() == 4; }));
    stream->receive_in_bulk(true);
    CHECK(take_all(*stream) == "late");
    ground.settle();
    CHECK(stream->error() == 0);
    send_all(pair.theirs, "later");
    CHECK(ground.until([&] { return stream->input_bytes() == 5; }));
    CHECK(take_all(*stream) == "later");
  });
}

TEST_CASE("stream: wakes its waker for data, for the end and for a reset") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  Waker waker(ground.loop);
  stream->wake(&waker);
  TaskGroup group;
  std::vector<std::string> seen;
  group.start([](Stream& from, Waker& mine, std::vector<std::string>& log) -> Task<> {
    while (!from.ended() && from.error() == 0) {
      co_await mine.wait(MonotonicTime::max());
      if (from.input() != nullptr) log.push_back(take_all(from));
    }
  }(*stream, waker, seen));
  for (const char* text : {"one", "two", "three"}) {
    size_t before = seen.size();
    send_all(pair.theirs, text);
    CHECK(ground.until([&] { return seen.size() == before + 1; }));
  }
  CHECK(group.size() == 1);
  SUBCASE("end") {
    pair.theirs.reset();
    CHECK(ground.until([&] { return group.size() == 0; }));
    CHECK(stream->error() == 0);
  }
  SUBCASE("reset") {
    abort_connection(pair.theirs);
    CHECK(ground.until([&] { return group.size() == 0; }));
    CHECK(stream->error() == ECONNRESET);
  }
  CHECK(seen == std::vector<std::string>{"one", "two", "three"});
  stream->wake(nullptr);
}

TEST_CASE("stream: a watcher hears of data, end and reset, not of what we did ourselves, and may release the stream") {
  Ground ground;
  auto pair = tcp_pair();
  struct Idle {
    StreamRef stream;
    int calls = 0;
    bool release = false;
  } idle{ground.adopt(std::move(pair.ours))};
  idle.stream->watch(
      [](Stream&, void* context) {
        auto& self = *static_cast<Idle*>(context);
        ++self.calls;
        if (self.release) self.stream.reset();
      },
      &idle);
  // Leaving and entering bulk mode cancels receives inside.
  for (bool bulk : {true, false, true, false}) {
    idle.stream->receive_in_bulk(bulk);
    ground.settle();
  }
  CHECK(idle.calls == 0);
  SUBCASE("data") {
    send_all(pair.theirs, "x");
    CHECK(ground.until([&] { return idle.calls == 1; }));
    CHECK(take_all(*idle.stream) == "x");
  }
  SUBCASE("released at the end") {
    idle.release = true;
    pair.theirs.reset();
    CHECK(ground.until([&] { return idle.stream == nullptr; }));
  }
  SUBCASE("released at data, with more under way") {
    idle.release = true;
    send_all(pair.theirs, pattern(300'000));
    CHECK(ground.until([&] { return idle.stream == nullptr; }));
  }
  SUBCASE("released at a reset") {
    idle.release = true;
    abort_connection(pair.theirs);
    CHECK(ground.until([&] { return idle.stream == nullptr; }));
  }
  ground.settle();
  CHECK(idle.calls == 1);
}

TEST_CASE("stream: take(n) splits at every place, and the rest stays") {
  over_both([](Pair pair) {
    Ground ground;
    StreamRef stream = ground.adopt(std::move(pair.ours));
    const std::string text = pattern(64);
    for (uint32_t at = 1; at <= text.size(); ++at) {
      send_all(pair.theirs, text);
      REQUIRE(ground.until([&] { return stream->input_bytes() == text.size(); }));
      BufferRef head = stream->take(at);
      CHECK(head->view() == text.substr(0, at));
      CHECK(stream->input_bytes() == text.size() - at);
      if (at < text.size()) CHECK(stream->input()->view() == text.substr(at));
      CHECK(take_all(*stream) == text.substr(at));
      CHECK(stream->input() == nullptr);
    }
  });
}

TEST_CASE("stream: what take(n) gives stays where it was, views of it remain valid") {
  Ground ground;
  auto pair = unix_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  send_all(pair.theirs, "head|body");
  CHECK(ground.until([&] { return stream->input_bytes() == 9; }));
  std::string_view head = stream->input()->view().substr(0, 5);
  BufferRef piece = stream->take(5);
  CHECK(piece->view().data() == head.data());
  CHECK(head == "head|");
  CHECK(take_all(*stream) == "body");
}

TEST_CASE("stream: gather joins as many bytes as asked, whatever the pieces were") {
  for (size_t chunk : {1ul, 3ul, 1000ul, 16'384ul, 20'000ul}) {
    for (size_t wanted : {2ul, 900ul, 16'384ul, 16'385ul, 40'000ul, 60'000ul}) {
      Ground ground;
      auto pair = tcp_pair();
      StreamRef stream = ground.adopt(std::move(pair.ours));
      const std::string text = pattern(60'000);
      stream->need(60'000);
      // Byte by byte only as far as it matters.
      size_t sent = 0;
      while (sent < text.size()) {
        size_t size = std::min(sent < 2000 ? chunk : std::max(chunk, 1000ul), text.size() - sent);
        send_all(pair.theirs, std::string_view(text).substr(sent, size));
        sent += size;
        REQUIRE(ground.until([&] { return stream->input_bytes() == sent; }));
        if (sent % 7 == 0) stream->gather(static_cast<uint32_t>(std::min(sent, wanted)));
      }
      stream->gather(static_cast<uint32_t>(wanted));
      REQUIRE(stream->input()->size() >= wanted);
      CHECK(stream->input_bytes() == text.size());
      CHECK(take_all(*stream) == text);
    }
  }
}

TEST_CASE("stream: gather asks for no more than there is, and of nothing does nothing") {
  Ground ground;
  auto pair = unix_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  stream->gather(100);
  CHECK(stream->input() == nullptr);
  send_all(pair.theirs, "abc");
  CHECK(ground.until([&] { return stream->input_bytes() == 3; }));
  stream->gather(1'000'000);
  CHECK(stream->input()->view() == "abc");
  CHECK(take_all(*stream) == "abc");
}

TEST_CASE("stream: bulk receives give long bodies whole, and what comes after as it comes") {
  over_both([](Pair pair) {
    Ground ground;
    StreamRef stream = ground.adopt(std::move(pair.ours));
    const std::string body = pattern(3'000'000);
    stream->receive_in_bulk(true);
    std::jthread peer([&] { send_all(pair.theirs, body); });
    std::string got;
    size_t largest = 0;
    CHECK(ground.until([&] {
      while (stream->input() != nullptr) {
        BufferRef piece = stream->take();
        largest = std::max<size_t>(largest, piece->size());
        got += piece->view();
      }
      return got.size() >= body.size();
    }));
    peer.join();
    CHECK(got == body);
    CHECK(largest > BufferPool::small_size);
    stream->receive_in_bulk(false);
    send_all(pair.theirs, "tail");
    CHECK(ground.until([&] { return stream->input_bytes() == 4; }));
    CHECK(stream->input()->capacity == BufferPool::small_size);
    CHECK(take_all(*stream) == "tail");
  });
}

TEST_CASE("stream: switching bulk mode at any moment loses no byte") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  const std::string body = pattern(4'000'000);
  std::jthread peer([&] { send_all(pair.theirs, body); });
  std::string got;
  unsigned turn = 0;
  CHECK(ground.until([&] {
    if (++turn % 3 == 0) stream->receive_in_bulk(turn % 2 == 0);
    if (turn % 5 != 0) got += take_all(*stream);
    return got.size() >= body.size();
  }));
  CHECK(got == body);
}

TEST_CASE("stream: a paused stream leaves what comes in the socket; detached, nothing is lost") {
  over_both([](Pair pair) {
    Ground ground;
    StreamRef stream = ground.adopt(std::move(pair.ours));
    ground.settle();
    stream->pause();
    CHECK_FALSE(stream->paused());  // the kernel still may deliver
    CHECK(ground.until([&] { return stream->paused(); }));
    send_all(pair.theirs, "for the successor");
    ground.settle();
    CHECK(stream->input() == nullptr);
    SUBCASE("detached") {
      Fd socket = stream->detach();
      stream.reset();
      ground.settle();
      CHECK(receive_available(socket) == "for the successor");
      send_all(socket, "still open");
      CHECK(receive_available(pair.theirs) == "still open");
    }
    SUBCASE("resumed") {
      stream->resume();
      CHECK_FALSE(stream->paused());
      CHECK(ground.until([&] { return stream->input_bytes() == 17; }));
      CHECK(take_all(*stream) == "for the successor");
    }
  });
}

TEST_CASE("stream: pausing wakes its owner when it is done") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  Waker waker(ground.loop);
  stream->wake(&waker);
  TaskGroup group;
  group.start([](Stream& from, Waker& mine) -> Task<> {
    from.pause();
    while (!from.paused()) co_await mine.wait(MonotonicTime::max());
  }(*stream, waker));
  CHECK(ground.until([&] { return group.size() == 0; }));
  stream->wake(nullptr);
}

TEST_CASE("stream: with data racing in, every byte is input or still in the socket when paused") {
  for (int round = 0; round < 200; ++round) {
    Ground ground;
    auto pair = tcp_pair();
    StreamRef stream = ground.adopt(std::move(pair.ours));
    bool bulk = round % 2 == 1;
    stream->receive_in_bulk(bulk);
    const std::string text = pattern(200'000);
    std::jthread peer([&] {
      for (size_t at = 0; at < text.size(); at += 5000) send_all(pair.theirs, std::string_view(text).substr(at, 5000));
    });
    std::string got;
    for (int turn = 0; turn < round % 23; ++turn) {
      ground.turns(1);
      got += take_all(*stream);
    }
    stream->pause();
    CHECK(ground.until([&] { return stream->paused(); }));
    got += take_all(*stream);
    Fd socket = stream->detach();
    stream.reset();
    char chunk[65536];
    while (got.size() < text.size()) {
      ssize_t more = recv(socket.get(), chunk, sizeof chunk, 0);
      REQUIRE(more > 0);
      got.append(chunk, static_cast<size_t>(more));
    }
    REQUIRE(got == text);
  }
}

TEST_CASE("stream: pause and resume in one turn, and resume before the pause is done, go on receiving") {
  Ground ground;
  auto pair = tcp_pair();
  StreamRef stream = ground.adopt(std::move(pair.ours));
  std::string got;
  const std::string text = pattern(10'000);
  for (size_t i = 0; i < 100; ++i) {
    stream->pause();
    if (i % 3 == 0) ground.settle();
    send_all(pair.theirs, std::string_view(text).substr(i * 100, 100));
    if (i % 3 == 1) stream->resume();
    stream->pause();
    stream->resume();
    REQUIRE(ground.until([&] {
      got += take_all(*stream);
      return got.size() == (i + 1) * 100;
    }));
  }
  CHECK(got == text);
}

TEST_CASE("stream: a half-closed peer still gets our answer") {
  over_both([](Pair pair) {
    Ground ground;
    StreamRef stream = ground.adopt(std::move(pair.ours));
    send_all(pair.theirs, "question");
    REQUIRE(shutdown(pair.theirs.get(), SHUT_WR) == 0);
    CHECK(ground.until([&] { return stream->end_seen(); }));
    CHECK(take_all(*stream) == "question");
    CHECK(stream->ended());
    stream->send(ground.piece("answer"));
    stream->finish_sending();
    CHECK(ground.until([&] { return stream->finished_sending(); }));
    CHECK(receive_available(pair.theirs) == "answer");
    char byte = 0;
    CHECK(recv(pair.theirs.get(), &byte, 1, 0) == 0);
    CHECK(stream->error() == 0);
  });
}
