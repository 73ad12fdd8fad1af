// `lunarctl run` for real: cgroups are made below that of the test, which needs root.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/own_cgroup.h"
#include "tests/cli/daemon.h"

using namespace lunar;
using namespace lunar::cli::testing;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

fs::path own_cgroup_directory() {
  return cli::cgroup2_mount(content("/proc/self/mountinfo")) + cli::cgroup2_path(content("/proc/self/cgroup"));
}

size_t leftovers() {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(own_cgroup_directory())) {
    count += entry.path().filename().string().starts_with("lunar-run-" + std::to_string(::getpid())) ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("lunarctl run: the command runs captured in its own cgroup, and its code is ours") {
  Daemon daemon;
  const std::string seen = daemon.directory.path / "cgroup";
  const Outcome outcome = run(daemon, {"run", "--", "sh", "-c", "cat /proc/self/cgroup > " + seen + "; exit 7"});
  CHECK(outcome.code == 7);
  daemon.stop();
  REQUIRE(daemon.host.attached.size() == 1);
  const std::string cgroup = daemon.host.attached[0].target;
  CHECK(daemon.host.attached[0].transient);
  CHECK(fs::path(cgroup).parent_path() / "" == own_cgroup_directory() / "");
  CHECK(cli::cgroup2_path(content(seen)).find("/lunar-run-" + std::to_string(::getpid())) != std::string::npos);
  REQUIRE(daemon.host.detached.size() == 1);
  CHECK(daemon.host.detached[0].target == cgroup);
  CHECK(leftovers() == 0);
}

TEST_CASE("lunarctl run: options before the command are ours, behind it they are not") {
  Daemon daemon;
  CHECK(run(daemon, {"run", "--netns", "sh", "-c", "exit 3"}).code == 3);
  CHECK(run(daemon, {"run", "status", "--json"}).code == 127);
  daemon.stop();
  CHECK(daemon.host.attached[0].netns);
  CHECK_FALSE(daemon.host.attached[1].netns);
}

TEST_CASE("lunarctl run: codes for what cannot run and for a death by signal") {
  const Daemon daemon;
  CHECK(run(daemon, {"run", "/nonexistent/command"}).code == 127);
  CHECK(run(daemon, {"run", "/etc/passwd"}).code == 126);
  CHECK(run(daemon, {"run", "sh", "-c", "kill -TERM $$"}).code == 128 + SIGTERM);
  CHECK(leftovers() == 0);
}

TEST_CASE("lunarctl run: without a daemon the command is never started, and nothing stays behind") {
  const admin::testing::Directory directory;
  const std::string mark = directory.path / "started";
  const Outcome outcome = run({"--socket", directory.path / "none", "run", "touch", mark});
  CHECK(outcome.code == 3);
  CHECK_FALSE(fs::exists(mark));
  CHECK(leftovers() == 0);
}

TEST_CASE("lunarctl run: what the command leaves running goes back to the caller's cgroup") {
  Daemon daemon;
  const std::string pid_file = daemon.directory.path / "pid";
  CHECK(run(daemon, {"run", "sh", "-c", "tail -f /dev/null & echo $! > " + pid_file}).code == 0);
  const int pid = std::atoi(content(pid_file).c_str());
  REQUIRE(pid > 1);
  CHECK(cli::cgroup2_path(content("/proc/" + std::to_string(pid) + "/cgroup")) ==
        cli::cgroup2_path(content("/proc/self/cgroup")));
  CHECK(leftovers() == 0);
  CHECK(::kill(pid, SIGKILL) == 0);
}

TEST_CASE("lunarctl run: under sudo the command runs as the invoking user, unless told otherwise") {
  Daemon daemon;
  ::setenv("SUDO_UID", "65534", 1);
  CHECK(run(daemon, {"run", "sh", "-c", "test $(id -u) = 65534 && test $(id -g) != 0"}).code == 0);
  CHECK(run(daemon, {"run", "--as-root", "sh", "-c", "test $(id -u) = 0"}).code == 0);
  ::unsetenv("SUDO_UID");
}
