#include "agent/redirect/program_lookup.h"

#include <linux/limits.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/clock.h"

namespace lunar {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(20);

struct Answer {
  uint32_t pid = 0;
  std::array<char, PATH_MAX> path{};
};

std::string program_of(uint32_t pid) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : std::string();
}

}  // namespace

Result<ProgramLookup> open_program_lookup() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return fail(std::string("socketpair: ") + strerror(errno), errno);
  }
  return ProgramLookup{Fd(ends[0]), Fd(ends[1])};
}

bool answer_program_questions(int answering) {
  for (;;) {
    uint32_t pid = 0;
    const ssize_t got = recv(answering, &pid, sizeof pid, MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    if (got != sizeof pid) continue;
    Answer answer{.pid = pid};
    const std::string path = program_of(pid);
    std::copy(path.begin(), path.end(), answer.path.begin());
    // An asker that does not read its answers goes without.
    send(answering, &answer, sizeof answer.pid + path.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

void ProgramQuestions::announce(int asking, uint32_t pid) {
  send(asking, &pid, sizeof pid, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool ProgramQuestions::receive_one() {
  Answer answer;
  const ssize_t got = recv(asking_, &answer, sizeof answer, MSG_DONTWAIT);
  if (got < static_cast<ssize_t>(sizeof answer.pid)) return false;
  if (answers_.size() >= kept) answers_.clear();
  answers_[answer.pid].assign(answer.path.data(), static_cast<size_t>(got) - sizeof answer.pid);
  return true;
}

std::string ProgramQuestions::program_of(uint32_t pid) {
  while (receive_one()) continue;
  if (!answers_.contains(pid)) announce(asking_, pid);
  const MonotonicTime end = monotonic_now() + kPatience;
  while (!answers_.contains(pid)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - monotonic_now()).count();
    pollfd waiting{.fd = asking_, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) != 1 || !receive_one()) return {};
  }
  // Taken out: the number may be another process's next time.
  return std::move(answers_.extract(pid).mapped());
}

}  // namespace lunar
