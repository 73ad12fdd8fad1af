#include "agent/net/minting.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/net/mint_message.h"

namespace lunar {
namespace {

constexpr std::chrono::milliseconds longest_poll = std::chrono::hours(1);

Result<> send_one(int socket, std::string_view bytes) {
  while (send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return fail("cannot send on the socket for leaf certificates", errno);
  }
  return {};
}

// EAGAIN: there is none. EPIPE: there will be none.
Result<std::string> receive_one(int socket) {
  std::string out(max_mint_message_bytes, '\0');
  ssize_t size = -1;
  while ((size = recv(socket, out.data(), out.size(), MSG_DONTWAIT | MSG_TRUNC)) < 0 && errno == EINTR) continue;
  if (size < 0) return fail("cannot receive on the socket for leaf certificates", errno);
  if (size == 0) return fail("the other end of the socket for leaf certificates is gone", EPIPE);
  if (static_cast<size_t>(size) > out.size()) return fail("a message about leaf certificates is too large", EBADMSG);
  out.resize(static_cast<size_t>(size));
  return out;
}

// Until `events` come, or the other end is gone.
Result<> wait_for(int socket, short events, MonotonicTime end) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - monotonic_now());
    if (left.count() <= 0) return fail("the supervisor has not answered in time", ETIMEDOUT);
    pollfd waiting{.fd = socket, .events = events, .revents = 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min(left, longest_poll).count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail("cannot wait for the supervisor", errno);
  }
}

Result<> send_before(int socket, std::string_view bytes, MonotonicTime end) {
  while (true) {
    auto sent = send_one(socket, bytes);
    if (sent || sent.error().os_error != EAGAIN) return sent;
    if (auto ready = wait_for(socket, POLLOUT, end); !ready) return ready;
  }
}

Result<std::string> receive_before(int socket, MonotonicTime end) {
  while (true) {
    auto bytes = receive_one(socket);
    if (bytes || bytes.error().os_error != EAGAIN) return bytes;
    if (auto ready = wait_for(socket, POLLIN, end); !ready) return std::unexpected(ready.error());
  }
}

std::string datagram_of(MintAnswer answer) {
  std::string out = encode(answer);
  if (out.size() <= max_mint_message_bytes) return out;
  answer.leaf = fail("the certificates of the local authority are too large");
  return encode(answer);
}

}  // namespace

Result<MintingSockets> open_minting() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return fail("cannot open the sockets for leaf certificates", errno);
  return MintingSockets{Fd(ends[0]), Fd(ends[1])};
}

Result<MintedLeaf> MintQuestions::ask(const LeafRequest& request, std::chrono::milliseconds patience) {
  const MonotonicTime end = monotonic_now() + patience;
  const std::string question = encode(MintQuestion{.number = ++last_, .request = request});
  if (question.size() > max_mint_message_bytes) return fail("too much is asked of the supervisor", EMSGSIZE);
  if (auto sent = send_before(asking_, question, end); !sent) return std::unexpected(sent.error());
  while (true) {
    const auto bytes = receive_before(asking_, end);
    if (!bytes) return std::unexpected(bytes.error());
    auto answer = mint_answer_from(*bytes);
    if (!answer) return fail(answer.error().text, EBADMSG);
    if (answer->number == last_) return std::move(answer->leaf);
    // Else the answer to an earlier question, whose asker has gone.
  }
}

bool answer_mint_questions(int answering, const std::function<Result<MintedLeaf>(const LeafRequest&)>& mint) {
  for (size_t i = 0; i < most_mint_questions; ++i) {
    const auto bytes = receive_one(answering);
    if (!bytes && bytes.error().os_error == EAGAIN) return true;
    if (!bytes && bytes.error().os_error != EBADMSG) return false;
    const auto question = bytes ? mint_question_from(*bytes) : std::unexpected(bytes.error());
    if (!question) {
      log::error("a gateway process gets no leaf certificates any more: {}", question.error().text);
      return false;
    }
    const std::string answer = datagram_of({.number = question->number, .leaf = mint(question->request)});
    if (auto sent = send_one(answering, answer); !sent) log::debug("{}", sent.error().text);
  }
  return true;
}

}  // namespace lunar
