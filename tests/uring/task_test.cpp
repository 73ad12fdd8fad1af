#include "agent/uring/task.h"

#include <doctest/doctest.h>

#include <coroutine>
#include <memory>
#include <string>
#include <vector>

using lunar::uring::FramePool;
using lunar::uring::Task;
using lunar::uring::TaskGroup;

namespace {

// What a test opens by hand to let a coroutine go on.
struct Gate {
  std::coroutine_handle<> sleeper;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { sleeper = handle; }
  void await_resume() const noexcept {}
  void open() { std::exchange(sleeper, nullptr).resume(); }
};

Task<int> number(int value) { co_return value; }

Task<std::unique_ptr<int>> owned(int value) { co_return std::make_unique<int>(value); }

Task<> note(std::vector<std::string>& log, std::string text) {
  log.push_back(std::move(text));
  co_return;
}

}  // namespace

TEST_CASE("task: nothing runs before it is awaited") {
  std::vector<std::string> log;
  {
    Task<> never = note(log, "never");
  }
  CHECK(log.empty());
}

TEST_CASE("task: runs in order of awaiting, and a group starts it at once") {
  std::vector<std::string> log;
  TaskGroup group;
  group.start([](std::vector<std::string>& lines) -> Task<> {
    Task<> second = note(lines, "second");
    co_await note(lines, "first");
    co_await second;
    lines.emplace_back("third");
  }(log));
  log.emplace_back("after start");
  CHECK(log == std::vector<std::string>{"first", "second", "third", "after start"});
  CHECK(group.size() == 0);
}

TEST_CASE("task: gives values and move-only results") {
  int sum = 0;
  TaskGroup group;
  group.start([](int& total) -> Task<> {
    total += co_await number(40);
    std::unique_ptr<int> two = co_await owned(2);
    total += *two;
  }(sum));
  CHECK(sum == 42);
}

TEST_CASE("task group: counts what has not ended, each task ends by itself") {
  Gate one;
  Gate other;
  TaskGroup group;
  auto wait_at = [](Gate& gate) -> Task<> { co_await gate; };
  group.start(wait_at(one));
  group.start(wait_at(other));
  CHECK(group.size() == 2);
  other.open();
  CHECK(group.size() == 1);
  one.open();
  CHECK(group.size() == 0);
}

TEST_CASE("task group: frames return to the pool, locals are destroyed before the awaiter goes on") {
  size_t base = FramePool::in_use();
  {
    std::vector<std::string> log;
    struct Local {
      std::vector<std::string>& log;
      ~Local() { log.emplace_back("local gone"); }
    };
    Gate gate;
    TaskGroup group;
    auto inner = [](std::vector<std::string>& lines, Gate& at) -> Task<> {
      Local local{lines};
      co_await at;
    };
    group.start([](auto& child, std::vector<std::string>& lines, Gate& at) -> Task<> {
      co_await child(lines, at);
      lines.emplace_back("awaiter");
    }(inner, log, gate));
    CHECK(FramePool::in_use() > base);
    gate.open();
    CHECK(log == std::vector<std::string>{"local gone", "awaiter"});
  }
  CHECK(FramePool::in_use() == base);
}

namespace {

Task<int> descend(int depth, Gate& bottom) {
  if (depth == 0) {
    co_await bottom;
    co_return 0;
  }
  co_return 1 + co_await descend(depth - 1, bottom);
}

}  // namespace

TEST_CASE("task: 100,000 nested awaits and 100,000 in a row need no stack") {
  size_t base = FramePool::in_use();
  Gate bottom;
  int depth = 0;
  TaskGroup group;
  group.start([](int& reached, Gate& gate) -> Task<> { reached = co_await descend(100'000, gate); }(depth, bottom));
  CHECK(group.size() == 1);
  bottom.open();
  CHECK(depth == 100'000);

  int64_t sum = 0;
  group.start([](int64_t& total) -> Task<> {
    for (int i = 0; i < 100'000; ++i) total += co_await number(i);
  }(sum));
  CHECK(sum == 100'000ll * 99'999 / 2);
  CHECK(group.size() == 0);
  CHECK(FramePool::in_use() == base);
}

TEST_CASE("task: a waiting leaf costs little memory") {
  size_t base = FramePool::in_use();
  Gate gate;
  TaskGroup group;
  group.start([](Gate& at) -> Task<> { co_await at; }(gate));
  // The root of the group and the task itself.
  CHECK(FramePool::in_use() - base <= 256);
  gate.open();
}
