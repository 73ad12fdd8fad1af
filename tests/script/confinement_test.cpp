#include "agent/script/confinement.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <csignal>
#include <cstdlib>

using namespace lunar;

namespace {

// Runs in a confined process; exits 0 if it was refused, 1 if it was not.
template <class Attempt>
int confined(Attempt attempt) {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    for (int number = 1; number < SIGRTMIN; ++number) signal(number, SIG_DFL);
    if (!script::confine_worker(ends[1])) _exit(2);
    _exit(attempt(ends[1]) ? 1 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  close(ends[0]);
  close(ends[1]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("script confinement: files, sockets, processes, signals and code in memory are refused") {
  CHECK(confined([](int) { return open("/etc/passwd", O_RDONLY) >= 0; }) == 0);
  CHECK(confined([](int) { return open("/tmp/made-by-script", O_CREAT | O_WRONLY, 0600) >= 0; }) == 0);
  CHECK(confined([](int) { return socket(AF_INET, SOCK_STREAM, 0) >= 0; }) == 0);
  CHECK(confined([](int) { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }) == 0);
  CHECK(confined([](int) { return vfork() >= 0; }) == 0);
  CHECK(confined([](int) { return execl("/bin/true", "true", nullptr) == 0; }) == 0);
  CHECK(confined([](int) { return kill(getppid(), 0) == 0; }) == 0);
  CHECK(confined([](int) {
          return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
        }) == 0);
  CHECK(confined([](int channel) { return dup(channel) >= 0; }) == 0);
}

TEST_CASE("script confinement: no descriptor is left but the channel, which works") {
  CHECK(confined([](int) { return write(2, "x", 1) == 1; }) == 0);
  CHECK(confined([](int channel) { return write(channel, "x", 1) == 1; }) == 1);
}

TEST_CASE("script confinement: memory is had, up to a limit") {
  CHECK(confined([](int) { return malloc(64 << 20) != nullptr; }) == 1);
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  CHECK(confined([](int) {
          return mmap(nullptr, size_t{3} << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
        }) == 0);
#endif
#endif
}
