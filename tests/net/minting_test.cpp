#include "agent/net/minting.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

#include "agent/net/leaf_key.h"
#include "agent/net/mint_message.h"
#include "tests/net/der_builder.h"
#include "tests/net/leaf_verdict.h"
#include "tests/net/operator_ca.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

using Mint = std::function<Result<MintedLeaf>(const LeafRequest&)>;

constexpr auto long_enough = 30s;

MintingSockets sockets() {
  auto out = open_minting();
  REQUIRE(out);
  return std::move(*out);
}

void await_question(int answering) {
  pollfd waiting{.fd = answering, .events = POLLIN, .revents = 0};
  CHECK(poll(&waiting, 1, -1) == 1);
}

// Answers until the gateway is gone; that must come before this ends.
class Supervisor {
 public:
  Supervisor(int answering, Mint mint)
      : thread_([answering, mint = std::move(mint)] {
          do await_question(answering);
          while (answer_mint_questions(answering, mint));
        }) {}
  ~Supervisor() { thread_.join(); }

 private:
  std::thread thread_;
};

// Mints, and ends the conversation when the test is over.
struct Conversation {
  explicit Conversation(Mint mint) : supervisor(ends.answering.get(), std::move(mint)) {}
  ~Conversation() { ends.asking.reset(); }

  Result<MintedLeaf> ask(const LeafRequest& request) { return questions.ask(request, long_enough); }

  MintingSockets ends = sockets();
  MintQuestions questions{ends.asking.get()};
  Supervisor supervisor;
};

MintedLeaf leaf_named(std::string certificate) { return {.certificate = std::move(certificate)}; }

LeafRequest request_for(std::vector<std::string> dns) {
  LeafNames names{.dns = std::move(dns)};
  names.common_name = names.dns.front();
  return {.public_key = p256_public_key(), .names = std::move(names)};
}

void say(int socket, std::string_view bytes) {
  REQUIRE(send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

std::string question(uint64_t number) { return encode(MintQuestion{.number = number, .request = request_for({"a"})}); }

// What a call of the supervisor's end comes to for this datagram of a gateway, which must not be minted for.
bool stands(std::string_view datagram) {
  const MintingSockets ends = sockets();
  say(ends.asking.get(), datagram);
  return answer_mint_questions(ends.answering.get(), [](const LeafRequest&) -> Result<MintedLeaf> {
    FAIL_CHECK("minted for what is no question");
    return fail("");
  });
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("minting: the gateway gets a leaf for its own key, which clients take") {
  auto authority = LocalAuthority::create({.hostname = "shop-1"}, noon);
  REQUIRE(authority);
  const auto key = LeafKey::generate();
  REQUIRE(key);
  Conversation talk([&](const LeafRequest& request) { return authority->mint(request, noon); });
  LeafRequest request = request_for({"api.example.com", "*.example.com"});
  request.names.addresses = {*IpAddress::parse("198.18.0.1")};
  request.public_key = key->public_key();
  const auto minted = talk.ask(request);
  REQUIRE_MESSAGE(minted, minted.error().text);
  for (const char* host : {"api.example.com", "b.example.com", "198.18.0.1"})
    CHECK_MESSAGE(verdict(*minted, authority->trust_bundle(noon), host, noon) == X509_V_OK, host);
  const auto certificate = certificate_from_der(minted->certificate);
  REQUIRE(certificate);
  CHECK(X509_check_private_key(certificate->get(), key->get()) == 1);
  CHECK(minted->validity.not_after == noon + max_leaf_lifetime);
  CHECK(talk.ask(request));
}

TEST_CASE("minting: a refusal is told to the gateway in the authority's words") {
  auto authority = LocalAuthority::create({.permitted = {.dns = {"example.com"}}}, noon);
  REQUIRE(authority);
  Conversation talk([&](const LeafRequest& request) { return authority->mint(request, noon); });
  const auto why = [&](const LeafRequest& request) {
    const auto minted = talk.ask(request);
    REQUIRE_FALSE(minted);
    CHECK(minted.error().os_error == 0);
    return minted.error().text;
  };
  CHECK(mentions(why(request_for({"api.example.org"})), "may not certify api.example.org,"));
  CHECK(mentions(why(request_for({"not a name"})), "no host name"));
  LeafRequest unknown_key = request_for({"api.example.com"});
  unknown_key.public_key = "x";
  CHECK(mentions(why(unknown_key), "P-256"));
  CHECK(talk.ask(request_for({"api.example.com"})));
}

TEST_CASE("minting: both ends are closed in programs that are started, and neither ever blocks by itself") {
  const MintingSockets ends = sockets();
  for (const int fd : {ends.asking.get(), ends.answering.get()}) {
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  }
}

TEST_CASE("minting: what is no question ends the conversation, and nothing is minted") {
  const std::string good = question(1);
  for (const size_t size : {size_t{0}, size_t{1}, good.size() - 1}) CHECK_FALSE(stands(good.substr(0, size)));
  CHECK_FALSE(stands(good + "x"));
  CHECK_FALSE(stands("\x7b\x7d"));
  CHECK_FALSE(stands(std::string(max_mint_message_bytes, '\0')));
  CHECK_FALSE(stands(std::string(max_mint_message_bytes + 1, '\0')));
}

TEST_CASE("minting: an answer that is none is an error, and the next one counts again") {
  const MintingSockets ends = sockets();
  MintQuestions questions(ends.asking.get());
  for (const std::string& wrong : {std::string("x"), std::string(max_mint_message_bytes + 1, '\0'),
                                   encode(MintAnswer{.number = 1, .leaf = leaf_named("leaf")}) + "x"}) {
    say(ends.answering.get(), wrong);
    const auto minted = questions.ask(request_for({"a"}), long_enough);
    REQUIRE_FALSE(minted);
    CHECK(minted.error().os_error == EBADMSG);
  }
  say(ends.answering.get(), encode(MintAnswer{.number = 4, .leaf = leaf_named("leaf")}));
  CHECK(questions.ask(request_for({"a"}), long_enough)->certificate == "leaf");
}

TEST_CASE("minting: a question without an answer ends, and its late answer is not taken for the next one's") {
  MintingSockets ends = sockets();
  MintQuestions questions(ends.asking.get());
  const auto in_vain = questions.ask(request_for({"first"}), 1ms);
  REQUIRE_FALSE(in_vain);
  CHECK(in_vain.error().os_error == ETIMEDOUT);
  const Mint mint = [](const LeafRequest& request) { return leaf_named(request.names.common_name); };
  CHECK(answer_mint_questions(ends.answering.get(), mint));  // late
  Result<MintedLeaf> minted;
  {
    const Supervisor supervisor(ends.answering.get(), mint);
    minted = questions.ask(request_for({"second"}), long_enough);
    ends.asking.reset();
  }
  REQUIRE(minted);
  CHECK(minted->certificate == "second");
}

TEST_CASE("minting: late answers alone do not make up for the one that is missing") {
  const MintingSockets ends = sockets();
  MintQuestions questions(ends.asking.get());
  for (int i = 0; i < 3; ++i) CHECK(questions.ask(request_for({"a"}), 0ms).error().os_error == ETIMEDOUT);
  for (const uint64_t number : {1U, 2U, 3U})
    say(ends.answering.get(), encode(MintAnswer{.number = number, .leaf = leaf_named("late")}));
  CHECK(questions.ask(request_for({"a"}), 1ms).error().os_error == ETIMEDOUT);
}

TEST_CASE("minting: a gateway whose questions are not taken waits no longer than its patience") {
  const MintingSockets ends = sockets();
  const std::string bytes(64 * 1024, 'x');
  while (send(ends.asking.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) continue;
  const std::string one(1, 'x');
  while (send(ends.asking.get(), one.data(), one.size(), MSG_DONTWAIT) > 0) continue;
  REQUIRE(errno == EAGAIN);
  CHECK(MintQuestions(ends.asking.get()).ask(request_for({"a"}), 1ms).error().os_error == ETIMEDOUT);
}

TEST_CASE("minting: the gateway learns at once that the supervisor is gone") {
  MintingSockets ends = sockets();
  MintQuestions questions(ends.asking.get());
  SUBCASE("before the question") {
    ends.answering.reset();
    CHECK(questions.ask(request_for({"a"}), long_enough).error().os_error == EPIPE);
  }
  SUBCASE("with the question unread") {
    std::thread supervisor([&] {
      await_question(ends.answering.get());
      ends.answering.reset();
    });
    CHECK(questions.ask(request_for({"a"}), long_enough).error().os_error == ECONNRESET);
    supervisor.join();
    CHECK(questions.ask(request_for({"a"}), long_enough).error().os_error == EPIPE);
  }
  SUBCASE("instead of an answer") {
    std::thread supervisor([&] {
      await_question(ends.answering.get());
      std::string bytes(max_mint_message_bytes, '\0');
      CHECK(recv(ends.answering.get(), bytes.data(), bytes.size(), 0) > 0);
      ends.answering.reset();
    });
    CHECK(questions.ask(request_for({"a"}), long_enough).error().os_error == EPIPE);
    supervisor.join();
  }
}

TEST_CASE("minting: the supervisor learns that the gateway is gone, also with answers unread") {
  const Mint mint = [](const LeafRequest&) { return leaf_named("leaf"); };
  MintingSockets ends = sockets();
  CHECK(answer_mint_questions(ends.answering.get(), mint));  // nothing is asked
  ends.asking.reset();
  CHECK_FALSE(answer_mint_questions(ends.answering.get(), mint));
  MintingSockets others = sockets();
  say(others.asking.get(), question(1));
  CHECK(answer_mint_questions(others.answering.get(), mint));
  others.asking.reset();
  CHECK_FALSE(answer_mint_questions(others.answering.get(), mint));
}

TEST_CASE("minting: at one time few of many questions are answered, in their order, and the others later") {
  const MintingSockets ends = sockets();
  std::vector<size_t> done;
  size_t count = 0;
  for (uint64_t number = 1; number <= 2 * most_mint_questions + 1; ++number) say(ends.asking.get(), question(number));
  for (int i = 0; i < 4; ++i) {
    CHECK(answer_mint_questions(ends.answering.get(), [&](const LeafRequest&) {
      ++count;
      return leaf_named("leaf");
    }));
    done.push_back(count);
  }
  CHECK(done == std::vector{most_mint_questions, 2 * most_mint_questions, count, count});
  CHECK(count == 2 * most_mint_questions + 1);
  for (uint64_t number = 1; number <= count; ++number) {
    std::string bytes(max_mint_message_bytes, '\0');
    const ssize_t size = recv(ends.asking.get(), bytes.data(), bytes.size(), 0);
    REQUIRE(size > 0);
    CHECK(mint_answer_from(bytes.substr(0, static_cast<size_t>(size)))->number == number);
  }
}

TEST_CASE("minting: a gateway that reads no answers goes without, and never holds up the supervisor") {
  const MintingSockets ends = sockets();
  size_t minted = 0;
  const Mint mint = [&](const LeafRequest&) {
    ++minted;
    return leaf_named(std::string(100'000, 'x'));
  };
  for (uint64_t number = 1; number <= 100; ++number) {
    say(ends.asking.get(), question(number));
    CHECK(answer_mint_questions(ends.answering.get(), mint));
  }
  CHECK(minted == 100);
}

TEST_CASE("minting: what does not fit into a datagram is an error on either side") {
  Conversation talk([](const LeafRequest&) {
    return MintedLeaf{.certificate = "leaf", .chain = {std::string(max_mint_message_bytes, 'x')}};
  });
  const auto answer = talk.ask(request_for({"a"}));
  REQUIRE_FALSE(answer);
  CHECK(mentions(answer.error().text, "certificates of the local authority are too large"));
  const auto question = talk.ask(request_for({std::string(max_mint_message_bytes, 'a')}));
  REQUIRE_FALSE(question);
  CHECK(question.error().os_error == EMSGSIZE);
}

TEST_CASE("minting: a leaf of the most names and the longest chain of usual certificates fits") {
  Conversation talk([](const LeafRequest& request) {
    std::string names;
    for (const std::string& name : request.names.dns) names += dns_name(name);
    return MintedLeaf{.certificate = names, .chain = std::vector<std::string>(8, std::string(10'000, 'c'))};
  });
  LeafRequest large = request_for({"first"});
  for (size_t i = 1; i < max_leaf_names; ++i) large.names.dns.emplace_back(max_leaf_name_bytes / max_leaf_names, 'n');
  const auto minted = talk.ask(large);
  REQUIRE_MESSAGE(minted, minted.error().text);
  CHECK(minted->chain.size() == 8);
}
