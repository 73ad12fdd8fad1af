#include "agent/script/worker_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "agent/script/worker.h"

namespace lunar::script {
namespace {

[[noreturn]] void be_worker(int socket, pid_t parent, Interpreter& interpreter) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPROF}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  run_worker(socket, interpreter);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<WorkerProcess> WorkerProcess::start(Interpreter& interpreter) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail("cannot create the socket of a script worker", errno);
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail("cannot start a script worker", errno);
  if (pid == 0) be_worker(theirs.get(), parent, interpreter);
  return WorkerProcess(pid, std::move(ours));
}

WorkerProcess::~WorkerProcess() {
  if (pid_ <= 0) return;
  kill();
  wait_for(pid_);
}

void WorkerProcess::kill() const { ::kill(pid_, SIGKILL); }

std::string WorkerProcess::reason_of_end(uint32_t timeout_ms) {
  socket_.reset();
  const int status = wait_for(std::exchange(pid_, -1));
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
    return "used more than " + std::to_string(timeout_ms) + " ms of CPU time";
  if (WIFSIGNALED(status)) return "the process of the script was killed by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == kNotConfined) return "the process of the script cannot be confined";
  if (WEXITSTATUS(status) == kInterpreterGaveUp) return "the interpreter gave up";
  return "the process of the script ended with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace lunar::script
