// A process that the supervisor's machinery can start in place of a gateway. argv[1]: good, crash
// (at once), mute (never ready), once (ready only as the first one started), stubborn (does not
// drain), report (on itself), scripts (says its pid on each descriptor that it gets).
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "agent/base/channel.h"

using lunar::Channel;
using nlohmann::json;

namespace {

std::string status_line(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return line.substr(line.find_last_of(" \t") + 1);
  }
  return "";
}

json report() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  json open_fds = json::array();
  for (int fd = 0; fd < 64; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) open_fds.push_back(fd);
  }
  return {
      {"type", "report"},
      {"uid", getuid()},
      {"groups", getgroups(0, nullptr)},
      {"capabilities", status_line("CapEff") + status_line("CapPrm") + status_line("CapBnd") + status_line("CapAmb")},
      {"no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)},
      {"files", files.rlim_cur},
      {"fds", open_fds},
      {"term_blocked", sigismember(&blocked, SIGTERM)},
      {"secret", getenv("LUNAR_API_KEY") != nullptr},
      {"zone", getenv("TZ") != nullptr}};
}

// Obeys until the supervisor is gone.
void obey(Channel& channel, const std::string& mode) {
  pollfd waiting{.fd = channel.fd(), .events = POLLIN};
  std::vector<lunar::Fd> clients;
  while (!channel.closed()) {
    poll(&waiting, 1, -1);
    auto message = channel.receive();
    if (!message) exit(1);
    if (!*message) continue;
    if (mode == "scripts") {
      for (lunar::Fd& fd : (*message)->fds) dprintf(clients.emplace_back(std::move(fd)).get(), "%d\n", getpid());
      continue;
    }
    const std::string type = (*message)->body.value("type", "");
    const bool gets_ready = mode != "mute" && (mode != "once" || (*message)->body.value("attempt", 1) == 1);
    if (type == "start" && gets_ready) (void)channel.send({{"type", "ready"}, {"pid", getpid()}});
    if (type == "drain" && mode != "stubborn") {
      (void)channel.send({{"type", "drained"}, {"handover", !(*message)->fds.empty()}});
      exit(0);
    }
    if (type == "adopt") (void)channel.send({{"type", "adopted"}, {"fds", (*message)->fds.size()}});
    if (type == "exit") exit(7);
    if (type == "abort") raise(SIGKILL);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "good";
  if (mode == "crash") return 3;
  Channel channel{lunar::Fd(3)};
  if (mode == "report") (void)channel.send(report());
  obey(channel, mode);
  return 0;
}
