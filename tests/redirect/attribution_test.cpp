// Attribution of this very process and of ones that are gone.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "agent/redirect/attribution.h"
#include "agent/redirect/cgroup.h"

using namespace lunar;

namespace {

Origin origin_of(pid_t pid, uint64_t start_ns = 0) {
  Origin origin;
  origin.pid = static_cast<uint32_t>(pid);
  origin.uid = 42;
  origin.start_ns = start_ns;
  std::strcpy(origin.comm.data(), "thread-name");
  return origin;
}

pid_t gone_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

}  // namespace

TEST_CASE("attribution: names the program, not the thread") {
  Attribution attribution;
  const Process process = attribution.resolve(origin_of(getpid()));
  CHECK(process.pid == static_cast<uint32_t>(getpid()));
  CHECK(process.uid == 42);
  CHECK(process.exe == std::filesystem::read_symlink("/proc/self/exe").string());
  CHECK(process.comm != "thread-name");
  CHECK(process.cgroup.starts_with("/"));
}

TEST_CASE("attribution: of a process that is gone, what the hook knew remains") {
  Attribution attribution;
  const Process process = attribution.resolve(origin_of(gone_process()));
  CHECK(process.comm == "thread-name");
  CHECK(process.uid == 42);
  CHECK(process.exe.empty());
  CHECK(process.cgroup.empty());
}

TEST_CASE("attribution: a program that is gone is still known by its cgroup") {
  const auto mount = cgroup::mount_point();
  const auto own = cgroup::own_path();
  REQUIRE(mount);
  REQUIRE(own);
  const auto id = cgroup::id_of(*mount + *own);
  REQUIRE(id);
  Origin origin = origin_of(gone_process());
  origin.cgroup_id = *id;
  Attribution attribution;
  CHECK(attribution.resolve(origin).cgroup == *own);
  CHECK(attribution.resolve(origin_of(gone_process())).cgroup.empty());
}

TEST_CASE("attribution: a pid that was reused is not taken for the one that connected") {
  Attribution attribution;
  const Process process = attribution.resolve(origin_of(getpid(), 1));  // another start time
  CHECK(process.comm == "thread-name");
  CHECK(process.exe.empty());
}

TEST_CASE("attribution: asks whoever may look, when it may not itself") {
  int asked = 0;
  Attribution attribution(16, [&asked](uint32_t) {
    ++asked;
    return std::string("/usr/bin/shop");
  });
  const pid_t gone = gone_process();
  CHECK(attribution.resolve(origin_of(gone)).exe == "/usr/bin/shop");
  CHECK(attribution.resolve(origin_of(gone)).exe == "/usr/bin/shop");
  CHECK(asked == 1);  // the second answer came from the cache
}

TEST_CASE("attribution: is bounded, and forgets the least recently used") {
  int asked = 0;
  Attribution attribution(2, [&asked](uint32_t) {
    ++asked;
    return std::string("/x");
  });
  const std::array gone{gone_process(), gone_process(), gone_process()};
  (void)attribution.resolve(origin_of(gone[0]));
  (void)attribution.resolve(origin_of(gone[1]));
  (void)attribution.resolve(origin_of(gone[0]));
  (void)attribution.resolve(origin_of(gone[2]));  // pushes out gone[1]
  CHECK(asked == 3);
  (void)attribution.resolve(origin_of(gone[0]));
  CHECK(asked == 3);
  (void)attribution.resolve(origin_of(gone[1]));
  CHECK(asked == 4);
}
