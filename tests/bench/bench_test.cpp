// What the figures of the bench rest on: quantiles that are right, and a generator that notices a wrong byte or a wrong
// server.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "tests/bench/peer/channel.h"
#include "tests/bench/peer/client.h"
#include "tests/bench/peer/histogram.h"
#include "tests/bench/peer/tls.h"
#include "tests/bench/peer/wire.h"
#include "tests/config/temporary_dir.h"
#include "tests/net/certificates.h"

using namespace lunar;
using namespace lunar::bench;

TEST_CASE("histogram: small values are exact") {
  Histogram histogram;
  for (uint64_t v = 1; v <= 100; ++v) histogram.record(v);
  CHECK(histogram.quantile(0.5) == 50);
  CHECK(histogram.quantile(0.99) == 99);
  CHECK(histogram.quantile(0.999) == 100);
}

TEST_CASE("histogram: a quantile is right within 0.8 % over the whole range") {
  for (uint64_t v : {130UL, 1'000UL, 55'555UL, 1'000'000UL, 123'456'789UL, 999'999'999'999UL}) {
    Histogram histogram;
    histogram.record(v);
    CHECK(static_cast<double>(histogram.quantile(0.5)) == doctest::Approx(static_cast<double>(v)).epsilon(0.008));
  }
}

TEST_CASE("histogram: one slow request of a thousand shows at p99.9 and not at p99") {
  Histogram histogram;
  for (int i = 0; i < 998; ++i) histogram.record(50);
  histogram.record(5'000'000);
  histogram.record(5'000'000);
  CHECK(histogram.quantile(0.99) == 50);
  CHECK(histogram.quantile(0.999) > 4'900'000);
}

TEST_CASE("wire: the origin reads what the generator asks for") {
  for (Ending ending : {Ending::keep_alive, Ending::close}) {
    Request request(4096, ending);
    std::string_view text = request.numbered(number_text(42));
    CHECK(text.size() > 250);
    CHECK(head_size(text) == text.size());
    std::optional<Asked> asked = parse_request(text);
    REQUIRE(asked);
    CHECK(asked->number == number_text(42));
    CHECK(asked->body_size == 4096);
    CHECK(asked->ending == ending);
  }
}

TEST_CASE("wire: an answer needs a status and a length, in any case of letters") {
  std::optional<Answer> answer = parse_answer("HTTP/1.1 503 Busy\r\nX: y\r\nCONTENT-length:  17\r\n\r\n");
  REQUIRE(answer);
  CHECK(answer->status == 503);
  CHECK(answer->body_size == 17);
  CHECK(!parse_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  CHECK(!parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n"));
}

TEST_CASE("pattern: a shift by any usual buffer length is noticed") {
  Pattern pattern;
  std::string_view bytes(pattern.at(10), 100'000);
  CHECK(pattern.matches(10, bytes));
  for (uint64_t shift : {1UL, 1024UL, 4096UL, 16384UL, 65536UL, 262144UL}) CHECK(!pattern.matches(10 + shift, bytes));
}

namespace {

struct Heard final : ClientOwner {
  void answered(Client& /*client*/) override { ++answers; }
  void closed(Client& /*client*/) override { ++ends; }
  void failed(Client& /*client*/, const char* why) override { fault = why; }
  int answers = 0;
  int ends = 0;
  std::string fault;
};

// One client that is connected to this test, which answers as it likes.
struct Conversation {
  // Null: in clear, and the request was read.
  explicit Conversation(const TlsContext* tls = nullptr)
      : context{reactor, pattern, request, 1024, scratch, next_number, tls} {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Fd listener(socket(AF_INET, SOCK_STREAM, 0));
    socklen_t length = sizeof any;
    REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&any), length) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&any), &length) == 0);
    client.open({IpAddress::v4(any.sin_addr.s_addr), ntohs(any.sin_port)});
    client.request({});
    server.reset(accept(listener.get(), nullptr, nullptr));
    REQUIRE(server);
    if (tls != nullptr) return;
    char bytes[1024];
    REQUIRE(recv(server.get(), bytes, sizeof bytes, 0) > 0);  // an unread request would turn the end into a reset
  }

  void answer(std::string_view text) {
    REQUIRE(send(server.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    reactor.poll(std::chrono::seconds(1));
  }

  std::string right_answer() {
    Number number = number_text(1);
    return answer_head(1024, Ending::keep_alive) + std::string(number.data(), number.size()) +
           std::string(pattern.at(kNumberDigits), 1024 - kNumberDigits);
  }

  Reactor reactor;
  Pattern pattern;
  Request request{1024, Ending::keep_alive};
  std::string scratch = std::string(65536, '\0');
  uint64_t next_number = 1;
  ClientContext context;
  Heard heard;
  Client client{context, heard};
  Fd server;
};

}  // namespace

TEST_CASE("client: takes the right answer, whole") {
  Conversation conversation;
  conversation.answer(conversation.right_answer());
  CHECK(conversation.heard.answers == 1);
  CHECK(conversation.heard.fault.empty());
}

TEST_CASE("client: takes the right answer byte by byte") {
  Conversation conversation;
  std::string text = conversation.right_answer();
  for (size_t i = 0; i < text.size(); ++i) {
    CHECK(conversation.heard.answers == 0);
    REQUIRE(send(conversation.server.get(), &text[i], 1, 0) == 1);
    conversation.reactor.poll(std::chrono::seconds(1));
  }
  CHECK(conversation.heard.answers == 1);
  CHECK(conversation.heard.fault.empty());
}

TEST_CASE("client: notices everything that a correct gateway never does") {
  struct Fault {
    const char* name;
    void (*spoil)(std::string&);
  };
  for (const Fault& fault : {
           Fault{"another byte", [](std::string& text) { text.back() ^= 1; }},
           Fault{"the answer of another request", [](std::string& text) { text[text.find("0000000001") + 9] = '2'; }},
           Fault{"another status", [](std::string& text) { text.replace(9, 3, "502"); }},
           Fault{"another length", [](std::string& text) { text.replace(text.find("1024"), 4, "1023"); }},
           Fault{"a byte too many", [](std::string& text) { text += 'x'; }},
       }) {
    CAPTURE(fault.name);
    Conversation conversation;
    std::string text = conversation.right_answer();
    fault.spoil(text);
    conversation.answer(text);
    CHECK(!conversation.heard.fault.empty());
    CHECK(conversation.heard.answers == 0);
  }
}

TEST_CASE("client: notices an end inside the answer, and bears one behind it") {
  Conversation cut;
  std::string text = cut.right_answer();
  cut.answer(std::string_view(text).substr(0, 500));
  cut.server.reset();
  cut.reactor.poll(std::chrono::seconds(1));
  CHECK(cut.heard.fault == "the connection ended before its answer");

  Conversation whole;
  whole.answer(text);
  whole.server.reset();
  whole.reactor.poll(std::chrono::seconds(1));
  CHECK(whole.heard.ends == 1);
  CHECK(whole.heard.fault.empty());
}

namespace {

// An origin that has a certificate of `host` by one authority, and a client that expects what it is told.
struct SecretConversation {
  explicit SecretConversation(const std::string& host, bool of_the_right_authority = true)
      : origin(TlsIdentity{identity_of(host)}),
        trust(TlsTrust{of_the_right_authority ? authority_file(right) : authority_file(other), "api.example.com"}) {
    REQUIRE(fcntl(conversation.server.get(), F_SETFL, O_NONBLOCK) == 0);
    server.open(std::move(conversation.server), &origin);
  }

  // Both sides as far as they get; what the server has read.
  std::string proceed() {
    std::string read(1024, '\0');
    for (int turn = 0; turn < 20; ++turn) {
      const ssize_t count = server.receive(read);
      if (count > 0) return read.substr(0, static_cast<size_t>(count));
      if (count == 0 || errno != EAGAIN) return {};
      conversation.reactor.poll(std::chrono::milliseconds(100));
    }
    return {};
  }

  std::string identity_of(const std::string& host) {
    const test::Issued leaf = test::issue({.common_name = host, .alternative_names = "DNS:" + host}, &right);
    return files.write("identity.pem", leaf.certificate_pem() + leaf.key_pem());
  }
  std::string authority_file(const test::Issued& authority) {
    return files.write("authority.pem", authority.certificate_pem());
  }

  test::TemporaryDir files;
  test::Issued right = test::issue({.common_name = "right", .authority = true}, nullptr);
  test::Issued other = test::issue({.common_name = "other", .authority = true}, nullptr);
  TlsContext origin;
  TlsContext trust;
  Conversation conversation{&trust};
  Channel server;
};

}  // namespace

TEST_CASE("client: takes the right answer over TLS, whole and record by record") {
  SecretConversation secret("api.example.com");
  Conversation& open = secret.conversation;
  REQUIRE(head_size(secret.proceed()) > 250);
  CHECK(secret.origin.handshakes().all == 1);
  CHECK(secret.origin.handshakes().resumed == 0);
  CHECK(secret.trust.handshakes().all == 1);
  const std::string text = open.right_answer();
  for (size_t i = 0; i < text.size(); ++i) {
    CHECK(open.heard.answers == 0);
    REQUIRE(secret.server.send({&text[i], 1}) == 1);
    open.reactor.poll(std::chrono::seconds(1));
  }
  CHECK(open.heard.answers == 1);
  open.client.request({});
  REQUIRE(head_size(secret.proceed()) > 250);
  std::string second = open.right_answer();
  second.replace(second.find("0000000001"), kNumberDigits, "0000000002");
  REQUIRE(secret.server.send(second) == static_cast<ssize_t>(second.size()));
  open.reactor.poll(std::chrono::seconds(1));
  CHECK(open.heard.answers == 2);
  CHECK(open.heard.fault.empty());
}

TEST_CASE("client: hears that a connection with TLS has ended behind its answer") {
  SecretConversation secret("api.example.com");
  REQUIRE(!secret.proceed().empty());
  const std::string text = secret.conversation.right_answer();
  REQUIRE(secret.server.send(text) == static_cast<ssize_t>(text.size()));
  secret.server.close();
  secret.conversation.reactor.poll(std::chrono::seconds(1));
  CHECK(secret.conversation.heard.answers == 1);
  CHECK(secret.conversation.heard.ends == 1);
  CHECK(secret.conversation.heard.fault.empty());
}

TEST_CASE("client: bears no server of another authority or another name") {
  for (bool right_authority : {true, false}) {
    CAPTURE(right_authority);
    SecretConversation secret(right_authority ? "www.example.com" : "api.example.com", right_authority);
    CHECK(secret.proceed().empty());
    CHECK(secret.conversation.heard.fault == "certificate verify failed");
  }
}

TEST_CASE("tls: files that are of no use are refused by name") {
  const test::TemporaryDir files;
  const std::string empty = files.write("empty.pem", "");
  CHECK_THROWS_WITH(TlsContext(TlsIdentity{empty}), doctest::Contains(empty.c_str()));
  CHECK_THROWS_WITH(TlsContext(TlsTrust{empty, "api.example.com"}), doctest::Contains(empty.c_str()));
}
