// run -- CMD: a command in its own captured cgroup
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/own_cgroup.h"
#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;
constexpr int kDiedOfSignal = 128;
constexpr int kNotAttached = 404;

struct RunOptions {
  bool netns = false;
  bool as_root = false;
};

// Who called sudo; nothing if nobody did.
std::optional<uid_t> invoking_user() {
  const char* text = ::geteuid() == 0 ? std::getenv("SUDO_UID") : nullptr;
  uid_t user = 0;
  if (text == nullptr || std::from_chars(text, text + std::strlen(text), user).ec != std::errc{} || user == 0)
    return std::nullopt;
  return user;
}

bool become(uid_t user) {
  const passwd* entry = ::getpwuid(user);
  if (entry == nullptr) return false;
  if (::initgroups(entry->pw_name, entry->pw_gid) != 0 || ::setgid(entry->pw_gid) != 0 || ::setuid(user) != 0)
    return false;
  ::setenv("HOME", entry->pw_dir, 1);
  ::setenv("USER", entry->pw_name, 1);
  ::setenv("LOGNAME", entry->pw_name, 1);
  return true;
}

[[noreturn]] void say_and_exit(const std::string& text, int exit_code) {
  const std::string line = "lunarctl: " + text + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(exit_code);
}

// The child: waits until it is captured, then becomes the command.
[[noreturn]] void become_command(int gate, const std::vector<std::string>& command, bool as_root) {
  char released = 0;
  if (::read(gate, &released, 1) != 1) ::_exit(code(wire::Exit::refused));
  const std::optional<uid_t> user = as_root ? std::nullopt : invoking_user();
  if (user && !become(*user))
    say_and_exit("cannot become the invoking user; use --as-root to stay root", code(wire::Exit::permission));
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int error = errno;
  say_and_exit("cannot run " + command[0] + ": " + std::strerror(error), error == ENOENT ? kNotFound : kCannotExecute);
}

volatile sig_atomic_t forward_to = 0;
void forward_signal(int number) {
  if (forward_to > 0) ::kill(forward_to, number);
}

// The terminal sends SIGINT and SIGQUIT to the command itself; what somebody sends to us is meant for it as well.
class ForwardedSignals {
 public:
  explicit ForwardedSignals(pid_t child) {
    forward_to = child;
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action{};
      action.sa_handler = kSignals[i] == SIGINT || kSignals[i] == SIGQUIT ? SIG_IGN : forward_signal;
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  ForwardedSignals(const ForwardedSignals&) = delete;
  ForwardedSignals& operator=(const ForwardedSignals&) = delete;
  ~ForwardedSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    forward_to = 0;
  }

 private:
  static constexpr std::array<int, 6> kSignals{SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
  std::array<struct sigaction, 6> before_{};
};

int wait_for(pid_t child) {
  const ForwardedSignals forwarded(child);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? kDiedOfSignal + WTERMSIG(status) : WEXITSTATUS(status);
}

struct Gate {
  std::array<int, 2> ends{-1, -1};
  Gate() { (void)!::pipe2(ends.data(), O_CLOEXEC); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    close_end(0);
    close_end(1);
  }
  void close_end(size_t which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

int run_captured(const Session& session, const RunOptions& options) {
  if (session.command.empty())
    return complain(session, "name the command: lunarctl run -- COMMAND [ARGUMENT..]", wire::Exit::usage);
  const auto cgroup = OwnCgroup::create();
  if (!cgroup) {
    const bool refused = cgroup.error().os_error == EACCES;
    return complain(session, cgroup.error().text, refused ? wire::Exit::permission : wire::Exit::refused);
  }
  Gate gate;
  const pid_t child = ::fork();
  if (child == 0) {
    gate.close_end(1);
    become_command(gate.ends[0], session.command, options.as_root);
  }
  if (child < 0)
    return complain(session, std::string("cannot start a process: ") + std::strerror(errno), wire::Exit::refused);
  gate.close_end(0);

  json request{{wire::key::kTarget, (*cgroup)->path()}, {wire::key::kTransient, true}};
  if (options.netns) request[wire::key::kNetns] = true;
  const Result<> moved = (*cgroup)->add(child);
  int failed = moved ? 0 : complain(session, moved.error().text, wire::Exit::refused);
  if (failed == 0) {
    const auto attached = fetch(session, {"POST", std::string(wire::route::kAttach), request.dump()});
    if (!attached) failed = attached.error();
  }
  if (failed == 0) (void)!::write(gate.ends[1], "g", 1);
  gate.close_end(1);
  const int ended = wait_for(child);
  if (failed != 0) return failed;
  const json target{{wire::key::kTarget, (*cgroup)->path()}};
  const auto detached = Client(session.socket).ask({"POST", std::string(wire::route::kDetach), target.dump()});
  // A daemon that went away meanwhile has detached everything itself; one that was restarted knows nothing of it.
  if (detached && detached->status / 100 != 2 && detached->status != kNotAttached) complain(session, *detached);
  return ended;
}

}  // namespace

void declare_run(CLI::App& app, Session& session, Action& chosen) {
  auto options = std::make_shared<RunOptions>();
  app.add_flag("--netns", options->netns, "capture in the network namespace of the caller, where it has its own");
  app.add_flag("--as-root", options->as_root, "under sudo: do not go back to the invoking user");
  app.callback(
      [options, &session, &chosen] { chosen = [options, &session] { return run_captured(session, *options); }; });
}

}  // namespace lunar::cli
