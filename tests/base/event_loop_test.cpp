#include "agent/base/event_loop.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <stdexcept>

#include "agent/base/fd.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

EventLoop new_loop() {
  auto loop = EventLoop::create();
  REQUIRE(loop);
  return std::move(*loop);
}

}  // namespace

TEST_CASE("event loop: a timer fires once at its time and rests until it is set again") {
  EventLoop loop = new_loop();
  int fired = 0;
  auto timer = loop.timer([&] { ++fired; });
  loop.run_once(5ms);
  CHECK(fired == 0);
  const MonotonicTime due = monotonic_now() + 20ms;
  timer.fire_at(due);
  while (fired == 0) loop.run_once(1s);
  CHECK(monotonic_now() >= due);
  loop.run_once(5ms);
  CHECK(fired == 1);
  timer.fire_after(1ms);
  timer.rest();
  loop.run_once(10ms);
  CHECK(fired == 1);
}

TEST_CASE("event loop: a callback may end its own registration and what it captured lives on until it returns") {
  EventLoop loop = new_loop();
  EventLoop::Source timer;
  auto witness = std::make_shared<int>(0);
  timer = loop.timer([&timer, witness] {
    timer.reset();
    ++*witness;
  });
  timer.fire_after(0ms);
  loop.run_once(1s);
  CHECK(*witness == 1);
  CHECK(witness.use_count() == 1);
}

TEST_CASE("event loop: tells of descriptors for as long as the source lives") {
  EventLoop loop = new_loop();
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const Fd reader(ends[0]), writer(ends[1]);
  int seen = 0;
  auto source = loop.io(reader.get(), EPOLLIN, [&](uint32_t events) { seen += (events & EPOLLIN) != 0 ? 1 : 0; });
  loop.run_once(0ms);
  CHECK(seen == 0);
  REQUIRE(write(writer.get(), "x", 1) == 1);
  loop.run_once(1s);
  CHECK(seen == 1);
  source.watch(0);
  loop.run_once(0ms);
  CHECK(seen == 1);
  source.watch(EPOLLIN);
  loop.run_once(1s);
  CHECK(seen == 2);
  source.reset();
  loop.run_once(0ms);
  CHECK(seen == 2);
}

TEST_CASE("event loop: a signal becomes an event, and a throwing callback does not end the loop") {
  EventLoop loop = new_loop();
  int signals = 0;
  auto source = loop.signal(SIGUSR2, [&] {
    ++signals;
    throw std::runtime_error("told to");
  });
  auto finish = loop.timer([&] { loop.quit(7); });
  REQUIRE(raise(SIGUSR2) == 0);
  loop.run_once(1s);
  CHECK(signals == 1);
  finish.fire_after(1ms);
  CHECK(loop.run() == 7);
}

TEST_CASE("event loop: a descriptor closed in its callback is not reported again, though a copy of it lives on") {
  EventLoop loop = new_loop();
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Fd reader(ends[0]);
  const Fd writer(ends[1]), copy(dup(ends[0]));  // as a child between fork and exec has one
  int seen = 0;
  EventLoop::Source source;
  source = loop.io(reader.get(), EPOLLIN, [&](uint32_t) {
    ++seen;
    source.reset();
    reader.reset();
  });
  REQUIRE(write(writer.get(), "x", 1) == 1);
  loop.run_once(1s);
  CHECK(seen == 1);
  loop.run_once(10ms);
  CHECK(seen == 1);
}

TEST_CASE("event loop: a bad descriptor gives an empty source") {
  EventLoop loop = new_loop();
  CHECK_FALSE(loop.io(-1, EPOLLIN, [](uint32_t) {}));
}
