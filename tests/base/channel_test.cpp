#include "agent/base/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace lunar;
using nlohmann::json;

namespace {

struct Ends {
  Channel left, right;
};

Ends connected() {
  auto pair = Channel::pair();
  REQUIRE(pair);
  return {std::move(pair->first), std::move(pair->second)};
}

bool same_file(int a, int b) {
  struct stat one{}, two{};
  return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

std::optional<ChannelMessage> received(Channel& channel) {
  auto message = channel.receive();
  REQUIRE(message);
  return std::move(*message);
}

}  // namespace

TEST_CASE("channel: carries an object and its descriptors in their order") {
  auto [left, right] = connected();
  int pipe_ends[2];
  REQUIRE(pipe2(pipe_ends, O_CLOEXEC) == 0);
  const Fd reader(pipe_ends[0]), null(open("/dev/null", O_RDONLY | O_CLOEXEC)), writer(pipe_ends[1]);
  const int fds[] = {reader.get(), null.get()};
  REQUIRE(left.send({{"type", "start"}, {"n", 7}}, fds));

  auto message = received(right);
  REQUIRE(message);
  CHECK(message->body == json{{"type", "start"}, {"n", 7}});
  REQUIRE(message->fds.size() == 2);
  CHECK(same_file(message->fds[0].get(), reader.get()));
  CHECK(same_file(message->fds[1].get(), null.get()));
  CHECK((fcntl(message->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("channel: an empty channel gives nothing and is not closed") {
  auto [left, right] = connected();
  CHECK_FALSE(received(right));
  CHECK_FALSE(right.closed());
}

TEST_CASE("channel: what the peer sent before it went away still arrives, then the channel is closed") {
  auto [left, right] = connected();
  REQUIRE(left.send({{"type", "drained"}}));
  {
    const Channel gone = std::move(left);
  }
  auto message = received(right);
  REQUIRE(message);
  CHECK(message->body["type"] == "drained");
  CHECK_FALSE(right.closed());
  CHECK_FALSE(received(right));
  CHECK(right.closed());
}

TEST_CASE("channel: unread bytes of the peer do not turn its end into an error") {
  auto [left, right] = connected();
  REQUIRE(right.send({{"type", "unread"}}));
  {
    const Channel gone = std::move(left);
  }
  CHECK_FALSE(received(right));
  CHECK(right.closed());
}

TEST_CASE("channel: a message of a megabyte with 700 descriptors arrives whole, in both directions") {
  auto [left, right] = connected();
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<int> fds(700, null.get());
  const std::string text(1 << 20, 'x');
  for (auto* ends : {&left, &right}) {
    Channel& from = *ends;
    Channel& to = ends == &left ? right : left;
    REQUIRE(from.send({{"text", text}}, fds));
    REQUIRE(from.send({{"type", "behind"}}));
    CHECK(from.wants_write());
    std::optional<ChannelMessage> message;
    while (!(message = received(to))) REQUIRE(from.flush());
    CHECK(message->body["text"] == text);
    CHECK(message->fds.size() == 700);
    CHECK(received(to)->body["type"] == "behind");
    CHECK_FALSE(from.wants_write());
  }
}

TEST_CASE("channel: a peer that never reads costs a bounded queue and no blocking") {
  auto [left, right] = connected();
  const json body{{"text", std::string(1 << 20, 'x')}};
  int sent = 0;
  Result<> result;
  while ((result = left.send(body))) REQUIRE(++sent < 64);
  CHECK(result.error().os_error == EAGAIN);
  CHECK(sent >= 7);
  CHECK(sent <= 9);
  while (left.wants_write()) {
    REQUIRE(left.flush());
    if (received(right)) --sent;
  }
  CHECK(sent == 0);
}

TEST_CASE("channel: refuses what is too large, and says that the peer is gone") {
  auto [left, right] = connected();
  auto large = left.send({{"text", std::string(Channel::max_message_bytes, 'x')}});
  REQUIRE_FALSE(large);
  CHECK(large.error().os_error == EMSGSIZE);
  {
    const Channel gone = std::move(right);
  }
  auto alone = left.send({{"type", "x"}});
  REQUIRE_FALSE(alone);
  CHECK(alone.error().os_error == EPIPE);
}

TEST_CASE("channel: bytes that are not a JSON object are an error") {
  for (const char* text : {".[1]", ".{", ".", "x", "\n{}"}) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd raw(ends[0]);
    Channel channel{Fd(ends[1])};
    REQUIRE(::send(raw.get(), text, strlen(text), 0) > 0);
    auto message = channel.receive();
    REQUIRE_FALSE(message);
    CHECK(message.error().os_error == EPROTO);
  }
}
