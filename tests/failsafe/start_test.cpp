// lunard itself, from outside: how it starts, how it refuses to, and that nothing of it stays.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/redirect/cgroup.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

// In a network namespace of its own, so that its ports are free and nothing reaches the machine's network.
void enter_empty_network() {
  if (unshare(CLONE_NEWNET) != 0) _exit(99);
  const Fd socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket_.get(), SIOCSIFFLAGS, &loopback) != 0) _exit(99);
}

void give_up_the_kernel() {
  for (const cap_value_t capability : {CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON}) cap_drop_bound(capability);
}

struct Outcome {
  int code = -1;
  std::string output;
};

class Lunard {
 public:
  Lunard() {
    char name[] = "/tmp/lunar-start-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    root_ = name;
    REQUIRE(chmod(name, 0755) == 0);
    write_config("");
  }
  Lunard(const Lunard&) = delete;
  Lunard& operator=(const Lunard&) = delete;
  ~Lunard() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    fs::remove_all(root_);
  }

  void write_config(const std::string& more) const {
    std::ofstream(root_ / "lunard.yaml") << "state: {dir: " << root_.string() << "/state}\n"
                                         << "access_log: {path: " << root_.string() << "/log/access.log}\n"
                                         << more;
  }
  [[nodiscard]] std::string socket_path() const { return (root_ / "run/lunard.sock").string(); }

  // `prepare` runs in the child, before it becomes lunard.
  void start(std::vector<std::string> extra = {}, void (*prepare)() = nullptr) {
    std::vector<std::string> arguments{"lunard", "--config-dir", root_.string(), "--socket", socket_path()};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    output_.reset(ends[0]);
    text_.clear();
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ > 0) {
      ::close(ends[1]);
      return;
    }
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    enter_empty_network();
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    if (prepare != nullptr) prepare();
    execv(LUNARD, pointers.data());
    _exit(98);
  }

  // Reads what it prints until `text` comes; false: it ended, or took too long.
  bool says(const std::string& text) {
    const MonotonicTime end = monotonic_now() + 60s;
    while (text_.find(text) == std::string::npos) {
      pollfd waiting{.fd = output_.get(), .events = POLLIN, .revents = 0};
      char bytes[4096];
      if (monotonic_now() > end || poll(&waiting, 1, 60'000) <= 0) return false;
      const ssize_t size = read(output_.get(), bytes, sizeof bytes);
      if (size <= 0) return false;
      text_.append(bytes, static_cast<size_t>(size));
    }
    return true;
  }
  Outcome wait() {
    (void)says("no line of a log holds this\n");
    int status = 0;
    REQUIRE(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), .output = text_};
  }
  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string get(const std::string& path) const {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    strncpy(address.sun_path, socket_path().c_str(), sizeof address.sun_path - 1);
    const Fd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::write(client.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) return "";
    std::string answer;
    char bytes[4096];
    for (ssize_t size = 0; (size = read(client.get(), bytes, sizeof bytes)) > 0;)
      answer.append(bytes, static_cast<size_t>(size));
    return answer;
  }

 private:
  fs::path root_;
  pid_t pid_ = -1;
  Fd output_;
  std::string text_;
};

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

// Stands in for systemd: takes what lunard stores, and gives it to the next one.
class FdStore {
 public:
  FdStore() {
    char name[] = "/tmp/lunar-notify-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    folder_ = name;
    socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    setenv("NOTIFY_SOCKET", path().c_str(), 1);
  }
  FdStore(const FdStore&) = delete;
  FdStore& operator=(const FdStore&) = delete;
  ~FdStore() {
    unsetenv("NOTIFY_SOCKET");
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::string path() const { return (folder_ / "notify").string(); }

  void collect() {
    while (true) {
      char text[4096];
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
      iovec bytes{.iov_base = text, .iov_len = sizeof text};
      msghdr header{};
      header.msg_iov = &bytes;
      header.msg_iovlen = 1;
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      const ssize_t size = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
      if (size <= 0) return;
      take(std::string(text, static_cast<size_t>(size)), CMSG_FIRSTHDR(&header));
    }
  }
  [[nodiscard]] const std::vector<std::pair<std::string, int>>& fds() const { return fds_; }
  [[nodiscard]] bool heard(const std::string& line) const { return heard_.find(line) != std::string::npos; }

 private:
  void take(const std::string& text, const cmsghdr* rights) {
    heard_ += text + "\n";
    const size_t at = text.find("FDNAME=");
    const std::string name = at == std::string::npos ? "" : text.substr(at + 7, text.find('\n', at) - at - 7);
    if (text.find("FDSTOREREMOVE=1") != std::string::npos) {
      for (const auto& [stored, fd] : fds_) {
        if (stored == name) ::close(fd);
      }
      std::erase_if(fds_, [&](const auto& entry) { return entry.first == name; });
    }
    if (rights == nullptr) return;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    fds_.emplace_back(name, fd);
  }

  fs::path folder_;
  Fd socket_;
  std::string heard_;
  std::vector<std::pair<std::string, int>> fds_;
};

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
