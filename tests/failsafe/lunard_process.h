// lunard as a child process of a test, and what systemd would keep for it.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"

namespace lunar {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// In a network namespace of its own, so that its ports are free and nothing reaches the machine's network.
inline void enter_empty_network() {
  if (unshare(CLONE_NEWNET) != 0) _exit(99);
  const Fd socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket_.get(), SIOCSIFFLAGS, &loopback) != 0) _exit(99);
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

// Stands in for systemd: takes what lunard stores as it comes, because few kernels keep more than ten messages, and
// gives it to the next one.
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
    end_.reset(eventfd(0, EFD_CLOEXEC));
    taker_ = std::thread([this] { take_until_end(); });
  }
  FdStore(const FdStore&) = delete;
  FdStore& operator=(const FdStore&) = delete;
  ~FdStore() {
    const uint64_t one = 1;
    CHECK(::write(end_.get(), &one, sizeof one) == sizeof one);
    taker_.join();
    unsetenv("NOTIFY_SOCKET");
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::string path() const { return (folder_ / "notify").string(); }

  // Everything that has come; afterwards nobody sends any more.
  void collect() {
    const std::lock_guard lock(mutex_);
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
  // After collect().
  [[nodiscard]] const std::vector<std::pair<std::string, int>>& fds() const { return fds_; }
  [[nodiscard]] bool heard(const std::string& line) const { return heard_.find(line) != std::string::npos; }

 private:
  void take_until_end() {
    pollfd waiting[]{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                     {.fd = end_.get(), .events = POLLIN, .revents = 0}};
    while (poll(waiting, 2, -1) > 0 && waiting[1].revents == 0) collect();
  }
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
  Fd socket_, end_;
  std::thread taker_;
  std::mutex mutex_;
  std::string heard_;
  std::vector<std::pair<std::string, int>> fds_;
};

}  // namespace lunar
