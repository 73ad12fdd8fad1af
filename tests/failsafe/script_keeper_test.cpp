#include "agent/failsafe/script_keeper.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

struct Bench {
  EventLoop loop = std::move(EventLoop::create().value());
  int renewed = 0;
  ScriptKeeper keeper;

  explicit Bench(const char* mode)
      : keeper(
            loop,
            {.executable = GATEWAY_STAND_IN, .arguments = {"gateway_stand_in", mode}, .identity = {}, .open_files = 0},
            2, [this] { ++renewed; }) {}

  void until(const std::function<bool()>& holds) {
    const MonotonicTime end = monotonic_now() + 10s;
    while (!holds() && monotonic_now() < end) loop.run_once(50ms);
    REQUIRE(holds());
  }
};

// Whom a socket leads to, by what the stand-in says first.
pid_t host_of(const Fd& socket) {
  std::string line;
  for (char byte = 0; read(socket.get(), &byte, 1) == 1 && byte != '\n';) line += byte;
  pid_t pid = -1;
  std::from_chars(line.data(), line.data() + line.size(), pid);
  return pid;
}

bool ended(const Fd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, 0) == 0;
}

}  // namespace

TEST_CASE("script keeper: gives every gateway sockets of its own to one process") {
  Bench bench("scripts");
  CHECK(bench.keeper.connect(1).empty());
  bench.keeper.start();
  const auto first = bench.keeper.connect(2), second = bench.keeper.connect(1);
  REQUIRE(first.size() == 2);
  REQUIRE(second.size() == 1);
  const pid_t host = host_of(first[0]);
  CHECK(host > 0);
  CHECK(host_of(first[1]) == host);
  CHECK(host_of(second[0]) == host);
  CHECK(bench.renewed == 0);
}

TEST_CASE("script keeper: a killed process is followed by another one, and whoever was connected is told") {
  Bench bench("scripts");
  bench.keeper.start();
  const auto before = bench.keeper.connect(1);
  const pid_t first = host_of(before.at(0));
  REQUIRE(kill(first, SIGKILL) == 0);
  CHECK(ended(before[0]));
  bench.until([&] { return bench.renewed == 1; });
  const auto after = bench.keeper.connect(1);
  REQUIRE(after.size() == 1);
  const pid_t second = host_of(after[0]);
  CHECK(second > 0);
  CHECK(second != first);
}

TEST_CASE("script keeper: one that dies again and again is started ever less often") {
  Bench bench("crash");
  const MonotonicTime begun = monotonic_now();
  bench.keeper.start();
  bench.until([&] { return bench.renewed == 4; });
  CHECK(monotonic_now() - begun >= 100ms + 200ms + 400ms);  // the first restart is free
}

TEST_CASE("script keeper: no child is left at its end, nor of attempts that failed") {
  {
    Bench("scripts").keeper.start();
  }
  {
    Bench failing("crash");
    failing.keeper.start();
    failing.until([&] { return failing.renewed == 2; });
  }
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}
