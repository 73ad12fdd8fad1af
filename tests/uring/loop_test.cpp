#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

TEST_CASE("loop: takes turns at least every beat and stops when told") {
  Ground ground;
  int turns = 0;
  MonotonicTime begin = monotonic_now();
  auto ran = ground.loop.run(milliseconds(2), [&](MonotonicTime) {
    if (++turns == 10) ground.loop.stop();
  });
  CHECK(ran.has_value());
  CHECK(turns == 10);
  CHECK(monotonic_now() - begin >= milliseconds(15));
}

TEST_CASE("loop: work posted before it runs, and even before it is open, is done") {
  Loop loop;
  int done = 0;
  loop.post([&] { ++done; });
  REQUIRE(loop.open(64));
  loop.post([&] {
    ++done;
    loop.post([&] {
      ++done;
      loop.stop();
    });
  });
  REQUIRE(loop.run(seconds(5), [](MonotonicTime) {}));
  CHECK(done == 3);
}

TEST_CASE("loop: work posted by many threads is done once each, in the order of each thread") {
  Ground ground;
  constexpr int threads = 8;
  constexpr int each = 2000;
  std::array<int, threads> next{};
  int out_of_order = 0;
  int done = 0;
  std::vector<std::jthread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        ground.loop.post([&, t, i] {
          out_of_order += next[static_cast<size_t>(t)]++ == i ? 0 : 1;
          ++done;
        });
      }
    });
  }
  CHECK(ground.until([&] { return done == threads * each; }));
  CHECK(out_of_order == 0);
}

TEST_CASE("loop: a post wakes a sleeping loop at once") {
  Ground ground;
  std::atomic<int64_t> posted_at = 0;
  Nanoseconds delay = seconds(100);
  std::jthread poster([&] {
    std::this_thread::sleep_for(milliseconds(20));  // the loop is asleep in the kernel
    posted_at = monotonic_now().time_since_epoch().count();
    ground.loop.post([&] {
      delay = monotonic_now().time_since_epoch() - Nanoseconds(posted_at);
      ground.loop.stop();
    });
  });
  REQUIRE(ground.loop.run(seconds(10), [](MonotonicTime) {}));
  CHECK(delay < seconds(2));
}

TEST_CASE("loop: signals that interrupt its sleep do no harm") {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  struct sigaction before{};
  REQUIRE(sigaction(SIGUSR2, &action, &before) == 0);
  {
    Ground ground;
    auto pair = tcp_pair();
    StreamRef stream = ground.adopt(std::move(pair.ours));
    pthread_t self = pthread_self();
    std::atomic<bool> leave = false;
    std::jthread pesterer([&] {
      while (!leave) {
        pthread_kill(self, SIGUSR2);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
    std::string got;
    for (int i = 0; i < 50; ++i) {
      send_all(pair.theirs, pattern(100, static_cast<size_t>(i) * 100));
      CHECK(ground.until([&] {
        got += take_all(*stream);
        return got.size() == static_cast<size_t>(i + 1) * 100;
      }));
    }
    leave = true;
    CHECK(got == pattern(5000));
    CHECK(stream->error() == 0);
  }
  REQUIRE(sigaction(SIGUSR2, &before, nullptr) == 0);
}

TEST_CASE("loop: several run side by side, each with its own frames and buffers") {
  std::vector<std::jthread> workers;
  std::atomic<int> good = 0;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&] {
      Loop loop;
      if (!loop.open(64)) return;
      auto pair = unix_pair();
      StreamRef ours = Stream::adopt(loop, std::move(pair.ours));
      StreamRef theirs = Stream::adopt(loop, std::move(pair.theirs));
      int rounds = 0;
      std::string expected = "0";
      auto say = [&](Stream& stream, const std::string& text) {
        BufferRef piece = loop.buffers().sized(8);
        memcpy(piece->memory, text.data(), text.size());
        piece->end = static_cast<uint32_t>(text.size());
        stream.send(std::move(piece));
      };
      say(*ours, expected);
      auto ran = loop.run(milliseconds(50), [&](MonotonicTime) {
        if (theirs->input() != nullptr) theirs->send(theirs->take());
        if (ours->input() == nullptr) return;
        if (take_all(*ours) != expected || ++rounds == 500) return loop.stop();
        expected = std::to_string(rounds);
        say(*ours, expected);
      });
      ours.reset();
      theirs.reset();
      int turns = 0;
      auto ended = loop.run(milliseconds(1), [&](MonotonicTime) {
        if (++turns == 5) loop.stop();
      });
      if (ran && ended && rounds == 500 && FramePool::in_use() == 0) ++good;
    });
  }
  workers.clear();
  CHECK(good == 4);
}
