// Which program a process runs. /proc/PID/exe of other users is closed to the gateway, so it asks the supervisor over
// a SOCK_SEQPACKET pair: a pid one way, the pid and a path the other way.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar {

struct ProgramLookup {
  Fd asking;     // the gateway's end
  Fd answering;  // the supervisor's end
};
[[nodiscard]] Result<ProgramLookup> open_program_lookup();

// Answers all questions that are waiting; needs CAP_SYS_PTRACE for other users' processes. False: the asker is gone.
[[nodiscard]] bool answer_program_questions(int answering);

// The gateway's end. A process may be gone before its first transaction has ended, so a worker announces it when its
// connection is accepted, and the answer waits in the socket.
class ProgramQuestions {
 public:
  explicit ProgramQuestions(int asking) : asking_(asking) {}  // not owned

  // From any thread: never waits; a full socket loses the question.
  static void announce(int asking, uint32_t pid);

  // On the admin thread, which may wait: up to 20 ms for a process that was not announced. Empty: not known.
  [[nodiscard]] std::string program_of(uint32_t pid);

 private:
  static constexpr size_t kept = 4096;
  [[nodiscard]] bool receive_one();

  int asking_;
  std::unordered_map<uint32_t, std::string> answers_;  // not asked for yet
};

}  // namespace lunar
