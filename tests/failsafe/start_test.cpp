// lunard itself, from outside: how it starts, how it refuses to, and that nothing of it stays.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/redirect/cgroup.h"
#include "tests/failsafe/lunard_process.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

void give_up_the_kernel() {
  for (const cap_value_t capability : {CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON}) cap_drop_bound(capability);
}

std::string own_cgroup_of(pid_t lunard) {
  return cgroup::mount_point().value() + cgroup::path_of_pid(static_cast<uint32_t>(lunard)).value();
}

}  // namespace

TEST_CASE("lunard: serves, answers on its socket, and a clean stop leaves nothing behind") {
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  const std::string cgroup = own_cgroup_of(lunard.pid());
  CHECK(fs::exists(cgroup));
  CHECK(cgroup.find("lunard-") != std::string::npos);
  const std::string status = lunard.get("/status");
  CHECK(status.find("\"state\":\"detached\"") != std::string::npos);
  CHECK(status.find("\"gateway_serving\":true") != std::string::npos);
  lunard.signal(SIGTERM);
  const Outcome outcome = lunard.wait();
  CHECK(outcome.code == 0);
  CHECK_FALSE(fs::exists(cgroup));
  CHECK_FALSE(fs::exists(lunard.socket_path()));
  CHECK_FALSE(fs::exists(lunard.socket_path() + ".gateway"));
}

TEST_CASE("lunard: SIGUSR2 replaces the gateway process, and a killed one comes back") {
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  lunard.signal(SIGUSR2);
  REQUIRE(lunard.says("has taken over"));
  const std::string status = lunard.get("/status");
  const size_t at = status.find("\"gateway_pid\":");
  REQUIRE(at != std::string::npos);
  const pid_t gateway = std::stoi(status.substr(at + 14));
  REQUIRE(::kill(gateway, SIGKILL) == 0);
  REQUIRE(lunard.says("killed by signal 9"));
  const MonotonicTime end = monotonic_now() + 30s;
  while (lunard.get("/status").find("\"gateway_serving\":true") == std::string::npos && monotonic_now() < end)
    usleep(5000);
  CHECK(lunard.get("/status").find("\"gateway_deaths\":1") != std::string::npos);
  lunard.signal(SIGINT);
  CHECK(lunard.wait().code == 0);
}

TEST_CASE("lunard: a gateway that hangs is killed and started again, not sooner than after ten seconds") {
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  const std::string status = lunard.get("/status");
  const pid_t gateway = std::stoi(status.substr(status.find("\"gateway_pid\":") + 14));
  const MonotonicTime stopped = monotonic_now();
  REQUIRE(::kill(gateway, SIGSTOP) == 0);
  REQUIRE(lunard.says("has answered no probe for 10 s"));
  CHECK(monotonic_now() - stopped >= 9500ms);
  REQUIRE(lunard.says("killed by signal 9"));
  const MonotonicTime end = monotonic_now() + 30s;
  while (lunard.get("/status").find("\"gateway_serving\":true") == std::string::npos && monotonic_now() < end)
    usleep(5000);
  CHECK(lunard.get("/status").find("\"gateway_deaths\":1") != std::string::npos);
  lunard.signal(SIGTERM);
  CHECK(lunard.wait().code == 0);
}

TEST_CASE("lunard: wrong arguments are exit code 2, a wrong lunard.yaml 3 with its place, --check says so as well") {
  Lunard lunard;
  lunard.start({"--no-such-option"});
  CHECK(lunard.wait().code == 2);
  Lunard faulty;
  faulty.write_config("failsafe: {heartbeat_deadline: soon}\n");
  faulty.start();
  const Outcome refused = faulty.wait();
  CHECK(refused.code == 3);
  CHECK(refused.output.find("lunard.yaml:3:") != std::string::npos);
  CHECK(refused.output.find(": error: ") != std::string::npos);
  faulty.start({"--check"});
  CHECK(faulty.wait().code == 3);
  Lunard good;
  good.start({"--check"});
  CHECK(good.wait().code == 0);
  CHECK_FALSE(fs::exists(good.socket_path()));
}

TEST_CASE("lunard: an address that is taken is exit code 4, with its holder's name") {
  Lunard lunard;
  lunard.start({}, [] {
    const int holder = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(8000), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (bind(holder, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(holder, 1) != 0) _exit(97);
  });
  const Outcome outcome = lunard.wait();
  CHECK(outcome.code == 4);
  CHECK(outcome.output.find("cannot bind 127.0.0.1:8000: Address already in use; it is held by ") != std::string::npos);
}

TEST_CASE("lunard: a second one on the same socket is refused, and the first goes on") {
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  Lunard second;
  second.start({"--socket", lunard.socket_path()});
  const Outcome outcome = second.wait();
  CHECK(outcome.code == 4);
  CHECK(outcome.output.find("another lunard serves") != std::string::npos);
  CHECK(lunard.get("/status").find("\"gateway_serving\":true") != std::string::npos);
  lunard.signal(SIGTERM);
  CHECK(lunard.wait().code == 0);
}

TEST_CASE("lunard: without the kernel's consent it is exit code 5 where capture is required, else degraded") {
  Lunard lunard;
  lunard.write_config("capture: {required: true}\n");
  lunard.start({}, give_up_the_kernel);
  CHECK(lunard.wait().code == 5);
  Lunard degraded;
  degraded.start({}, give_up_the_kernel);
  REQUIRE(degraded.says("is ready"));
  CHECK(degraded.text().find("degraded: nothing is captured") != std::string::npos);
  CHECK(degraded.get("/status").find("nothing is captured") != std::string::npos);
  degraded.signal(SIGTERM);
  CHECK(degraded.wait().code == 0);
}

namespace {

const std::vector<std::pair<std::string, int>>* g_stored = nullptr;
int g_network = -1;

// What systemd does between fork and exec.
void pass_stored_descriptors() {
  if (setns(g_network, CLONE_NEWNET) != 0) _exit(96);
  std::string names;
  std::vector<int> copies;
  for (const auto& [name, fd] : *g_stored) {
    names += (names.empty() ? "" : ":") + name;
    copies.push_back(fcntl(fd, F_DUPFD, 500));
  }
  for (size_t i = 0; i < copies.size(); ++i) dup2(copies[i], static_cast<int>(3 + i));
  close_range(static_cast<unsigned>(3 + copies.size()), ~0U, CLOSE_RANGE_CLOEXEC);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", std::to_string(copies.size()).c_str(), 1);
  setenv("LISTEN_FDNAMES", names.c_str(), 1);
}

std::string worker_listeners(const std::string& status) {
  const size_t at = status.find("\"worker\":[");
  return at == std::string::npos ? "" : status.substr(at, status.find(']', at) - at);
}

}  // namespace

TEST_CASE("lunard: what systemd kept over a crash is taken over, and a clean stop leaves nothing with systemd") {
  FdStore store;
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  const std::string listeners = worker_listeners(lunard.get("/status"));
  const Fd network(open(("/proc/" + std::to_string(lunard.pid()) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(network);
  lunard.signal(SIGKILL);
  CHECK(lunard.wait().code == -SIGKILL);
  store.collect();
  CHECK(store.heard("READY=1"));
  REQUIRE(store.fds().size() > 10);

  g_stored = &store.fds();
  g_network = network.get();
  lunard.start({}, pass_stored_descriptors);
  REQUIRE(lunard.says("took over the hook of the previous lunard"));
  REQUIRE(lunard.says("is ready"));
  CHECK(listeners.size() > 20);
  CHECK(worker_listeners(lunard.get("/status")) == listeners);
  lunard.signal(SIGTERM);
  CHECK(lunard.wait().code == 0);
  store.collect();
  CHECK(store.heard("STOPPING=1"));
  CHECK(store.fds().empty());
}

TEST_CASE("lunard: when the supervisor is killed, the gateway drains and goes, and the kernel detaches") {
  Lunard lunard;
  lunard.start();
  REQUIRE(lunard.says("is ready"));
  const std::string status = lunard.get("/status");
  const pid_t gateway = std::stoi(status.substr(status.find("\"gateway_pid\":") + 14));
  const std::string cgroup = own_cgroup_of(lunard.pid());
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, gateway, 0)));
  REQUIRE(pidfd);
  lunard.signal(SIGKILL);
  CHECK(lunard.wait().code == -SIGKILL);
  pollfd waiting{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  CHECK(poll(&waiting, 1, 40'000) == 1);
  const MonotonicTime end = monotonic_now() + 10s;
  while (rmdir(cgroup.c_str()) != 0 && errno == EBUSY && monotonic_now() < end) usleep(1000);
  CHECK_FALSE(fs::exists(cgroup));
}
