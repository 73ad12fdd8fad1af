#include "cli/lunarctl.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/daemon.h"

using namespace lunar;
using namespace lunar::cli;
using namespace lunar::cli::testing;
using nlohmann::json;

namespace {

void push(TransactionRing& ring, const char* host, uint16_t status = 200) {
  TransactionRecord* record = ring.claim();
  REQUIRE(record != nullptr);
  record->started_ns = 1'000'000'000;
  record->ended_ns = 1'012'300'000;
  record->status = status;
  record->bytes_out = 2048;
  record->set(TransactionText::method, "GET");
  record->set(TransactionText::host, host);
  record->set(TransactionText::path, "/v1/\033[31mx");
  ring.publish();
}

}  // namespace

TEST_CASE("lunarctl: wrong usage is 2, with the way out on the error stream") {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{},
                                                                     {"nonsense"},
                                                                     {"failsafe"},
                                                                     {"failsafe", "off"},
                                                                     {"logs"},
                                                                     {"attach"},
                                                                     {"attach", "a", "--pid", "1"},
                                                                     {"attach", "--pid", "0"},
                                                                     {"top", "--by", "colour"},
                                                                     {"completion"},
                                                                     {"completion", "tcsh"},
                                                                     {"--bad"},
                                                                     {"status", "extra"},
                                                                     {"run"},
                                                                     {"run", "--"},
                                                                     {"tail", "--pid", "x"}}) {
    const std::string line = json(arguments).dump();
    CAPTURE(line);
    const Outcome outcome = run(arguments);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("lunarctl: "));
  }
  CHECK(contains(run({"attahc", "x"}).err, "did you mean `attach`?"));
  CHECK(contains(run({"failsafe"}).err, "`failsafe bypass`, `failsafe resume`"));
}

TEST_CASE("lunarctl: no daemon is 3 and says how to start it") {
  for (const char* verb : {"status", "attachments", "restart", "reload", "tail"}) {
    const Outcome outcome = run({"--socket", "/nonexistent/lunard.sock", verb});
    CHECK(outcome.code == 3);
    CHECK(outcome.out.empty());
    CHECK(contains(outcome.err, "systemctl start lunard"));
  }
}

TEST_CASE("lunarctl: help and version need no daemon and go to the output") {
  CHECK(run({"--help"}).code == 0);
  CHECK(contains(run({"--help"}).out, "attachments"));
  CHECK(contains(run({"attach", "--help"}).out, "--reset-existing"));
  CHECK(run({"version"}).out.starts_with("lunarctl "));
  CHECK(json::parse(run({"--json", "version"}).out).contains("version"));
}

TEST_CASE("lunarctl: attaches with all that was asked, lists and detaches") {
  Daemon daemon;
  const Outcome attached = run(daemon, {"attach", "shop.service", "--netns", "--reset-existing"});
  CHECK(attached.code == 0);
  CHECK(attached.out == "attached shop.service (captured)\n");
  CHECK(run(daemon, {"attach", "--pid", "42", "--json"}).code == 0);
  const Outcome list = run(daemon, {"attachments"});
  CHECK(contains(list.out, "TARGET"));
  CHECK(contains(list.out, "shop.service"));
  CHECK(json::parse(run(daemon, {"attachments", "--json"}).out)["attachments"].size() == 2);
  CHECK(run(daemon, {"detach", "shop.service"}).out == "detached shop.service\n");
  daemon.stop();
  REQUIRE(daemon.host.attached.size() == 2);
  CHECK(daemon.host.attached[0].netns);
  CHECK(daemon.host.attached[0].reset_existing);
  CHECK(daemon.host.attached[1].pid == 42);
  CHECK_FALSE(daemon.host.attached[1].netns);
}

TEST_CASE("lunarctl: a refusal is 1, with the daemon's reason") {
  const Daemon daemon;
  const Outcome refused = run(daemon, {"attach", "missing.service"});
  CHECK(refused.code == 1);
  CHECK(refused.err == "lunarctl: cannot attach: no cgroup is called missing.service; start it first\n");
  CHECK(run(daemon, {"reload"}).code == 1);
}

TEST_CASE("lunarctl: sets the failsafe") {
  Daemon daemon;
  CHECK(contains(run(daemon, {"failsafe", "bypass"}).out, "bypass"));
  CHECK(run(daemon, {"failsafe", "resume"}).code == 0);
  daemon.stop();
  CHECK(daemon.host.modes == std::vector{admin::FailsafeMode::bypass, admin::FailsafeMode::automatic});
}

TEST_CASE("lunarctl: status on one screen, and as JSON") {
  const Daemon daemon;
  const Outcome status = run(daemon, {"status"});
  CHECK(status.code == 0);
  for (const char* part : {"9.9.9", "gateway-test", "1h 1m", "protecting", "4 no_listener", "3 of 100 connections",
                           "ok", "warning: one thing is odd"}) {
    CAPTURE(part);
    CAPTURE(status.out);
    CHECK(contains(status.out, part));
  }
  CHECK_FALSE(contains(status.out, "127.77."));
  CHECK(json::parse(run(daemon, {"status", "--json"}).out)["gateway"]["max_connections"] == 100);
}

TEST_CASE("lunarctl: top and tail show what the gateway saw, without control sequences of others") {
  Daemon daemon;
  push(daemon.ring, "a.example.com");
  push(daemon.ring, "b.example.com", 503);
  const Outcome top = run(daemon, {"top", "--by", "host"});
  CHECK(top.code == 0);
  CHECK(contains(top.out, "a.example.com"));
  CHECK(contains(top.out, "REQ/S"));
  CHECK(json::parse(run(daemon, {"top", "--by", "host", "--json"}).out)["rows"].size() == 2);
  const Outcome tail = run(daemon, {"tail", "--host", "a.example.com"});
  CHECK(tail.code == 0);
  CHECK(contains(tail.out, "200 GET http://a.example.com/v1/?[31mx 12.3 ms 2.00 KiB"));
  CHECK_FALSE(contains(tail.out, "b.example.com"));
  CHECK_FALSE(contains(tail.out, "\033"));
  CHECK(json::parse(run(daemon, {"tail", "-n", "1", "--json"}).out)["host"] == "b.example.com");
  CHECK(contains(run(daemon, {"top", "--by", "unit", "-n", "1"}).out, "NAME"));
}

TEST_CASE("lunarctl: a followed tail that the gateway ends is 1") {
  Daemon daemon;
  push(daemon.ring, "a.example.com");
  std::promise<Outcome> ended;
  auto outcome = ended.get_future();
  std::thread follower([&] { ended.set_value(run(daemon, {"tail", "-f"})); });
  CHECK(outcome.wait_for(std::chrono::milliseconds(300)) == std::future_status::timeout);
  daemon.stop();
  follower.join();
  const Outcome followed = outcome.get();
  CHECK(followed.code == 1);
  CHECK(contains(followed.out, "a.example.com"));
}

TEST_CASE("lunarctl: doctor asks the daemon, and checks the machine alone without it") {
  const Daemon daemon;
  CHECK(contains(run(daemon, {"doctor", "shop.service"}).out, "fine shop.service"));
  CHECK(contains(run(daemon, {"doctor", "42"}).out, "fine 42"));
  const Outcome alone = run({"--socket", "/nonexistent/lunard.sock", "doctor"});
  CHECK(alone.code == 3);
  CHECK(contains(alone.out, "kernel"));
  CHECK(contains(alone.out, "systemctl start lunard"));
}

TEST_CASE("lunarctl: what listens but is no lunard is told apart") {
  const admin::testing::Directory directory;
  const std::string path = directory.path / "s";
  const Fd listener = admin::testing::listen_unix(path);
  std::thread stranger([&listener] {
    pollfd ready{.fd = listener.get(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, 5000);
    const Fd peer(::accept(listener.get(), nullptr, nullptr));
    std::string asked(4096, '\0');  // what a peer leaves unread when it closes, discards what it sent
    CHECK(::recv(peer.get(), asked.data(), asked.size(), 0) > 0);
    const std::string_view greeting = "220 mail.example.com ESMTP\r\n\r\n";
    CHECK(::send(peer.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL) > 0);
  });
  const Outcome outcome = run({"--socket", path, "status"});
  stranger.join();
  CHECK(outcome.code == 3);
  CHECK(contains(outcome.err, "is not lunard"));
}
