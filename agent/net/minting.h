// How a gateway process gets leaf certificates: the authority's key is the supervisor's alone, so the gateway asks it
// over a SOCK_SEQPACKET pair of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "agent/base/fd.h"
#include "agent/net/authority.h"
#include "flowengine/result.h"

namespace lunar {

struct MintingSockets {
  Fd asking;     // the gateway's end
  Fd answering;  // the supervisor's end
};
[[nodiscard]] Result<MintingSockets> open_minting();  // close-on-exec

// The gateway's end. One thread at a time.
class MintQuestions {
 public:
  explicit MintQuestions(int asking) : asking_(asking) {}  // not owned

  // Blocks until there is an answer. An error's text is the supervisor's, but for these values of os_error: ETIMEDOUT
  // after `patience`; EPIPE or ECONNRESET if the other end is gone; EMSGSIZE if the question is too large; EBADMSG.
  [[nodiscard]] Result<MintedLeaf> ask(const LeafRequest& request, std::chrono::milliseconds patience);

 private:
  int asking_;
  uint64_t last_ = 0;  // number of the last question
};

// At once, so that nothing else of the supervisor's loop waits for long.
inline constexpr size_t most_mint_questions = 4;

// The supervisor's end: answers what is waiting, at most so many questions, and never blocks: a gateway that does not
// read its answers goes without. False: the gateway is gone, or said what is no question, which is logged.
[[nodiscard]] bool answer_mint_questions(int answering,
                                         const std::function<Result<MintedLeaf>(const LeafRequest&)>& mint);

}  // namespace lunar
