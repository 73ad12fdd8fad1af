#include "agent/failsafe/gateway_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "agent/base/log.h"

namespace lunar {
namespace {

// Reaches the log through the supervisor's stderr; the exit code is that of a shell that cannot execute.
[[noreturn]] void die(std::string_view step, int error) {
  const std::string line = fmt::format("gateway: cannot start: {}: {}\n", step, strerror(error));
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  _exit(126);
}

// What the gateway has a use for. Everything else stays behind: keys, and the words between systemd and us.
std::vector<std::string> child_environment() {
  static constexpr std::array<std::string_view, 13> kept{
      "PATH=",        "LANG=",          "LC_",           "TZ=",           "JOURNAL_STREAM=", "RES_OPTIONS=",
      "LOCALDOMAIN=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",  "TSAN_OPTIONS=",
      "LSAN_OPTIONS="};
  // A turn of the loop frees what a whole batch of requests allocated; the thread's cache, which holds 7 blocks of a
  // size otherwise, keeps all of it (glibc 2.26).
  std::vector<std::string> environment{"GLIBC_TUNABLES=glibc.malloc.tcache_count=512"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    for (const std::string_view prefix : kept) {
      if (text.starts_with(prefix)) environment.emplace_back(text);
    }
  }
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Signals of the terminal and of systemd are for the supervisor, which tells the gateway what to do.
void settle_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) signal(number, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void settle_descriptors(int channel) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) die("standard input", errno);
  if (channel == GatewayProcess::channel_fd) {
    if (fcntl(channel, F_SETFD, 0) != 0) die("channel", errno);
  } else if (dup2(channel, GatewayProcess::channel_fd) < 0) {
    die("channel", errno);
  }
  if (close_range(GatewayProcess::channel_fd + 1, ~0U, 0) != 0) die("descriptors", errno);
}

[[noreturn]] void run_child(const GatewayCommand& command, int channel) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = child_environment();
  setpgid(0, 0);
  settle_signals();
  if (command.open_files != 0) {
    const rlimit limit{.rlim_cur = command.open_files, .rlim_max = command.open_files};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("limit of open files", errno);
  }
  settle_descriptors(channel);
  if (command.identity) {
    if (auto dropped = become(*command.identity); !dropped) die(dropped.error().text, dropped.error().os_error);
  }
  execve(command.executable.c_str(), pointers(arguments).data(), pointers(environment).data());
  die(command.executable, errno);
}

// fork(), and a descriptor of the child that cannot be reused for another process. Not clone3: seccomp cannot see its
// flags, so service managers that restrict namespaces make it fail with ENOSYS.
pid_t fork_with_pidfd(int& pidfd) {
  return static_cast<pid_t>(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr));
}

}  // namespace

std::string describe_exit(int code, int status) {
  if (code == CLD_EXITED) return fmt::format("exited with code {}", status);
  return fmt::format("killed by signal {} ({}){}", status, strsignal(status),
                     code == CLD_DUMPED ? ", core dumped" : "");
}

Result<std::unique_ptr<GatewayProcess>> GatewayProcess::spawn(EventLoop& loop, const GatewayCommand& command,
                                                              Events events) {
  auto channel = Channel::pair();
  if (!channel) return std::unexpected(channel.error());
  std::unique_ptr<GatewayProcess> process(new GatewayProcess(std::move(events)));
  int pidfd = -1;
  const pid_t pid = fork_with_pidfd(pidfd);
  if (pid < 0) return fail("cannot create the gateway process", errno);
  if (pid == 0) run_child(command, channel->second.fd());
  process->pid_ = pid;
  process->pidfd_.reset(pidfd);
  process->channel_ = std::move(channel->first);
  GatewayProcess* self = process.get();
  process->channel_source_ =
      loop.io(self->channel_.fd(), EPOLLIN, [self](uint32_t events) { self->on_channel(events); });
  process->death_source_ = loop.io(pidfd, EPOLLIN, [self](uint32_t) { self->on_death(); });
  return process;
}

GatewayProcess::~GatewayProcess() {
  if (pid_ < 0) return;
  kill();
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

Result<> GatewayProcess::send(const nlohmann::json& message, std::span<const int> fds) {
  auto sent = channel_.send(message, fds);
  if (channel_source_) channel_source_.watch(channel_.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN);
  return sent;
}

void GatewayProcess::kill() {
  if (pid_ > 0) syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void GatewayProcess::on_channel(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (auto flushed = channel_.flush(); !flushed) log::debug("gateway {}: {}", pid_, flushed.error().text);
    channel_source_.watch(channel_.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
  receive_all();
  if (channel_.closed()) channel_source_.reset();  // its death follows by the pidfd
}

void GatewayProcess::receive_all() {
  while (true) {
    auto message = channel_.receive();
    if (!message) {
      log::error("the gateway process {} speaks nonsense ({}); it is ended", pid_, message.error().text);
      channel_source_.reset();
      kill();
      return;
    }
    if (!*message) return;
    events_.message(std::move(**message));
  }
}

void GatewayProcess::on_death() {
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
  pid_ = -1;
  death_source_.reset();
  if (channel_source_) receive_all();
  channel_source_.reset();
  const auto ended = std::move(events_.ended);
  ended(describe_exit(info.si_code, info.si_status));
}

}  // namespace lunar
