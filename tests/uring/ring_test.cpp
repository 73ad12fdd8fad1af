#include "agent/uring/ring.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <set>
#include <vector>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using std::chrono::milliseconds;

namespace {

struct Recorded : Operation {
  Recorded() : Operation{&completed} {}
  static void completed(Operation& operation, int32_t result, uint32_t) {
    auto& self = static_cast<Recorded&>(operation);
    ++self.times;
    self.result = result;
  }
  int times = 0;
  int32_t result = 0;
};

unsigned complete_all(Ring& ring) {
  unsigned count = 0;
  for (int quiet = 0; quiet < 3;) {
    auto done = ring.submit_and_complete(Nanoseconds::zero());
    REQUIRE(done.has_value());
    count += *done;
    quiet = *done == 0 ? quiet + 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("ring: this kernel can run the data path") { CHECK(Ring::missing_on_this_kernel().empty()); }

TEST_CASE("ring: waits no longer than asked when nothing happens") {
  Ring ring;
  REQUIRE(ring.open(8));
  MonotonicTime before = monotonic_now();
  auto done = ring.submit_and_complete(milliseconds(20));
  REQUIRE(done.has_value());
  CHECK(*done == 0);
  CHECK(monotonic_now() - before >= milliseconds(19));
}

TEST_CASE("ring: more requests than the queue holds are all carried out") {
  Ring ring;
  REQUIRE(ring.open(8));
  std::vector<Recorded> operations(1000);
  for (auto& operation : operations) io_uring_prep_nop(ring.prepare(operation));
  CHECK(complete_all(ring) == operations.size());
  for (const auto& operation : operations) CHECK(operation.times == 1);
}

TEST_CASE("ring: a refused request does not hold up those behind it") {
  Ring ring;
  REQUIRE(ring.open(8));
  Recorded refused;
  Recorded behind;
  io_uring_sqe* entry = ring.prepare(refused);
  io_uring_prep_nop(entry);
  entry->opcode = 250;
  io_uring_prep_nop(ring.prepare(behind));
  REQUIRE(ring.submit_and_complete(milliseconds(100)).has_value());
  CHECK(refused.result == -EINVAL);
  CHECK(behind.times == 1);
}

TEST_CASE("ring: completions beyond the completion queue arrive later, none is lost") {
  Ring ring;
  REQUIRE(ring.open(8));  // 32 completions
  Fd event(eventfd(0, EFD_CLOEXEC));
  std::vector<Recorded> operations(500);
  for (auto& operation : operations) io_uring_prep_poll_add(ring.prepare(operation), event.get(), POLLIN);
  CHECK(complete_all(ring) == 0);
  REQUIRE(eventfd_write(event.get(), 1) == 0);
  CHECK(complete_all(ring) == operations.size());
  CHECK(complete_all(ring) == 0);
  for (const auto& operation : operations) CHECK(operation.times == 1);
}

TEST_CASE("ring: scratch is reused only after the kernel has taken what points to it") {
  Ring ring;
  REQUIRE(ring.open(1024));
  auto pair = test::unix_pair();
  test::set_buffer(pair.ours, SO_SNDBUF, 4 << 20);
  struct Text {
    std::array<char, 120> bytes;
    iovec vector;
    msghdr message;
  };
  // Far more than the scratch holds, without a system call of ours in between.
  constexpr int count = 900;
  std::vector<Recorded> operations(count);
  std::vector<std::string> lines;
  std::string expected;
  for (int i = 0; i < count; ++i) lines.push_back(std::to_string(i) + ";");
  for (int i = 0; i < count; ++i) {
    auto& text = ring.scratch<Text>();
    text.vector = {lines[static_cast<size_t>(i)].data(), lines[static_cast<size_t>(i)].size()};
    text.message.msg_iov = &text.vector;
    text.message.msg_iovlen = 1;
    io_uring_prep_sendmsg(ring.prepare(operations[static_cast<size_t>(i)]), pair.ours.get(), &text.message, 0);
    expected += lines[static_cast<size_t>(i)];
  }
  complete_all(ring);
  CHECK(test::receive_available(pair.theirs) == expected);
  for (const auto& operation : operations) CHECK(operation.times == 1);
}

TEST_CASE("ring: cancel ends a waiting request and tells when there was none") {
  Ring ring;
  REQUIRE(ring.open(8));
  auto pair = test::unix_pair();
  char byte = 0;
  Recorded waiting;
  Recorded asked;
  io_uring_prep_recv(ring.prepare(waiting), pair.ours.get(), &byte, 1, 0);
  complete_all(ring);
  CHECK(waiting.times == 0);
  ring.cancel(waiting, asked);
  complete_all(ring);
  CHECK(waiting.result == -ECANCELED);
  CHECK(asked.result == 0);
  ring.cancel(waiting, asked);
  complete_all(ring);
  CHECK(asked.result == -ENOENT);
  CHECK(waiting.times == 1);
}
