#include "agent/failsafe/gateway_process.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

using namespace lunar;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Bench {
  EventLoop loop = std::move(EventLoop::create().value());
  std::vector<json> messages;
  std::string ended;
  std::unique_ptr<GatewayProcess> process;

  void start(GatewayCommand command) {
    auto spawned =
        GatewayProcess::spawn(loop, command,
                              {.message = [this](ChannelMessage m) { messages.push_back(std::move(m.body)); },
                               .ended = [this](std::string how) { ended = std::move(how); }});
    REQUIRE(spawned);
    process = std::move(*spawned);
  }
  void start(const char* mode) { start(command(mode)); }
  static GatewayCommand command(const char* mode) {
    return {.executable = GATEWAY_STAND_IN, .arguments = {"gateway_stand_in", mode}, .identity = {}, .open_files = 0};
  }
  void until(const std::function<bool()>& true_) {
    const MonotonicTime end = monotonic_now() + 10s;
    while (!true_() && monotonic_now() < end) loop.run_once(50ms);
    REQUIRE(true_());
  }
  void until_message() {
    until([this] { return !messages.empty(); });
  }
  void until_ended() {
    until([this] { return !ended.empty(); });
  }
};

bool no_child_left() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

}  // namespace

TEST_CASE("gateway process: is spoken to over its channel, and its orderly end is told once with its code") {
  Bench bench;
  bench.start("good");
  REQUIRE(bench.process->send({{"type", "start"}}));
  bench.until_message();
  CHECK(bench.messages[0]["type"] == "ready");
  CHECK(bench.messages[0]["pid"] == bench.process->pid());
  REQUIRE(bench.process->send({{"type", "exit"}}));
  bench.until_ended();
  CHECK(bench.ended == "exited with code 7");
  CHECK(no_child_left());
}

TEST_CASE("gateway process: what it said before its death is told before its death") {
  Bench bench;
  bench.start("good");
  REQUIRE(bench.process->send({{"type", "start"}}));
  REQUIRE(bench.process->send({{"type", "abort"}}));
  bench.until_ended();
  REQUIRE(bench.messages.size() == 1);
  CHECK(bench.messages[0]["type"] == "ready");
  CHECK(bench.ended == "killed by signal 9 (Killed)");
  CHECK(no_child_left());
}

TEST_CASE("gateway process: SIGKILL from outside is noticed without being asked for") {
  Bench bench;
  bench.start("good");
  REQUIRE(bench.process->send({{"type", "start"}}));
  bench.until_message();
  const MonotonicTime killed = monotonic_now();
  REQUIRE(::kill(bench.process->pid(), SIGKILL) == 0);
  bench.until_ended();
  CHECK(monotonic_now() - killed < 1s);  // the usual is 1 ms; the machine may be busy
}

TEST_CASE("gateway process: has no privileges, no descriptors, no signals and no secrets of ours") {
  REQUIRE(getuid() == 0);
  setenv("LUNAR_API_KEY", "secret", 1);
  setenv("TZ", "UTC", 1);
  Bench bench;
  const auto term = bench.loop.signal(SIGTERM, [] {});  // blocks it in this process
  GatewayCommand command = Bench::command("report");
  command.identity = find_identity({"no-such-user", "nobody"}).value();
  command.open_files = 512;
  bench.start(command);
  bench.until_message();
  const json& report = bench.messages[0];
  CHECK(report["uid"] == command.identity->uid);
  CHECK(report["groups"] == 0);
  CHECK(report["capabilities"] == std::string(64, '0'));
  CHECK(report["no_new_privs"] == 1);
  CHECK(report["files"] == 512);
  CHECK(report["fds"] == json({0, 1, 2, 3}));
  CHECK(report["term_blocked"] == 0);
  CHECK(report["secret"] == false);
  CHECK(report["zone"] == true);
  REQUIRE(::kill(bench.process->pid(), SIGTERM) == 0);  // ignored: the supervisor decides
  REQUIRE(bench.process->send({{"type", "start"}}));
  bench.until([&] { return bench.messages.size() == 2; });
  CHECK(bench.ended.empty());
}

TEST_CASE("gateway process: ends by itself when the supervisor's end of the channel closes") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t supervisor = fork();
  REQUIRE(supervisor >= 0);
  if (supervisor == 0) {
    close(ends[0]);
    Bench bench;
    bench.start("good");
    const pid_t gateway = bench.process->pid();
    if (write(ends[1], &gateway, sizeof gateway) != sizeof gateway) _exit(1);
    raise(SIGKILL);
  }
  close(ends[1]);
  pid_t gateway = 0;
  REQUIRE(read(ends[0], &gateway, sizeof gateway) == sizeof gateway);
  REQUIRE(waitpid(supervisor, nullptr, 0) == supervisor);
  const MonotonicTime end = monotonic_now() + 10s;
  while (::kill(gateway, 0) == 0 && monotonic_now() < end) usleep(1000);
  CHECK(::kill(gateway, 0) == -1);
  CHECK(errno == ESRCH);
  close(ends[0]);
}

TEST_CASE("gateway process: destroying it kills and reaps it") {
  Bench bench;
  bench.start("good");
  const pid_t pid = bench.process->pid();
  bench.process.reset();
  CHECK(::kill(pid, 0) == -1);
  CHECK(no_child_left());
  CHECK(bench.ended.empty());
}

TEST_CASE("gateway process: an executable that is not there is an exit, not a hang") {
  Bench bench;
  bench.start({.executable = "/nonexistent/lunard", .arguments = {"lunard"}, .identity = {}, .open_files = 0});
  bench.until_ended();
  CHECK(bench.ended == "exited with code 126");
}

TEST_CASE("gateway process: one that speaks nonsense is ended") {
  Bench bench;
  GatewayCommand command{.executable = "/bin/sh",
                         .arguments = {"sh", "-c", "printf x >&3; sleep 60 3>&-"},
                         .identity = {},
                         .open_files = 0};
  bench.start(command);
  bench.until_ended();
  CHECK(bench.ended == "killed by signal 9 (Killed)");
}
