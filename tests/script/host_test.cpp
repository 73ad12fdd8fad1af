#include <sys/wait.h>

#include <doctest/doctest.h>
#include <csignal>
#include <ctime>
#include <optional>
#include <thread>

#include "tests/script/script_host.h"

using namespace lunar;
using namespace lunar::testing;

namespace {

double cpu_milliseconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  REQUIRE(clock_getcpuclockid(process, &clock) == 0);
  REQUIRE(clock_gettime(clock, &time) == 0);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

std::string body_of(const ScriptReply& reply) {
  return reply.success ? nlohmann::json::parse(reply.text)["body"].get<std::string>() : reply.text;
}

}  // namespace

TEST_CASE("script host: it serves until its channel and its last client are gone, and its workers end with it") {
  ScriptHostProcess host;
  std::optional<WaitingClient> client(host.connect()), other(host.connect());
  const ScriptCall nothing{.script = "", .request = "{}", .response = {}};
  CHECK(other->run(nothing).success);
  const auto workers = host.workers();
  CHECK(workers.size() == 2);
  host.leave();
  other.reset();
  CHECK(client->run(nothing).success);
  client.reset();
  CHECK(host.stop() == 0);
  for (const pid_t worker : workers) CHECK(kill(worker, 0) != 0);
}

TEST_CASE("script host: without clients it ends with its channel") {
  ScriptHostProcess host;
  CHECK(WaitingClient(host.connect()).run({.script = "", .request = "{}", .response = {}}).success);
  CHECK(host.stop() == 0);
}

TEST_CASE("script host: many calls of several clients are in flight, and each gets its own reply") {
  ScriptHostProcess host(3);
  std::vector<WaitingClient> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(host.connect());
  std::vector<std::pair<size_t, uint64_t>> sent;
  for (int call = 0; call < 50; ++call) {
    for (size_t i = 0; i < clients.size(); ++i) {
      const std::string value = std::to_string(i) + "-" + std::to_string(call);
      const std::string script =
          "request.headers.own = '" + value + "'; if (" + std::to_string(call % 7) + " === 3) throw '" + value + "'";
      sent.emplace_back(
          i, clients[i].send({.script = script, .timeout_ms = 500, .request = R"({"headers":{}})", .response = {}}));
    }
  }
  for (size_t at = 0; at < sent.size(); ++at) {
    const auto& [i, id] = sent[at];
    const ScriptReply reply = clients[i].wait_for(id);
    const std::string value = std::to_string(i) + "-" + std::to_string(at / 4);
    if (at / 4 % 7 == 3)
      CHECK(reply.text == value);
    else
      CHECK(reply.text == R"({"headers":{"own":")" + value + "\"}}");
  }
}

TEST_CASE("script host: a worker that is killed in the middle of a call costs that call alone") {
  ScriptHostProcess host(2);
  WaitingClient client(host.connect());
  CHECK(client.run({.script = "", .request = "{}", .response = {}}).success);
  const auto workers = host.workers();
  REQUIRE(workers.size() == 2);
  const ScriptCall endless{.script = "for (;;) {}", .timeout_ms = 1000, .request = "{}", .response = {}};
  const uint64_t first = client.send(endless);
  const uint64_t second = client.send(endless);
  for (const pid_t worker : workers) {
    while (cpu_milliseconds(worker) < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    kill(worker, SIGSEGV);
  }
  CHECK(client.wait_for(first).text.contains("killed by signal 11"));
  CHECK(client.wait_for(second).text.contains("killed by signal 11"));
  CHECK(client.run({.script = "", .request = "{}", .response = {}}).success);
  CHECK(host.workers().size() == 2);
}

TEST_CASE("script host: a worker that is killed between calls costs none") {
  ScriptHostProcess host(1);
  WaitingClient client(host.connect());
  for (int i = 0; i < 5; ++i) {
    CHECK(client.run({.script = "", .request = "{}", .response = {}}).success);
    const auto workers = host.workers();
    REQUIRE(workers.size() == 1);
    kill(workers[0], SIGKILL);
    while (kill(workers[0], 0) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("script host: signals to the whole service leave it and its workers to serve") {
  ScriptHostProcess host(1);
  WaitingClient client(host.connect());
  CHECK(client.run({.script = "", .request = "{}", .response = {}}).success);
  const auto workers = host.workers();
  REQUIRE(workers.size() == 1);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    kill(host.pid(), number);
    kill(workers[0], number);
  }
  CHECK(client.run({.script = "", .timeout_ms = 500, .request = "{}", .response = {}}).success);
  CHECK(host.workers() == workers);
}

TEST_CASE("script host: a client that leaves or talks nonsense does not disturb the others") {
  ScriptHostProcess host;
  WaitingClient client(host.connect());
  {
    WaitingClient leaves(host.connect());
    leaves.send({.script = "for (;;) {}", .timeout_ms = 100, .request = "{}", .response = {}});
  }
  WaitingClient nonsense(host.connect());
  nonsense.send_bytes(std::string(100, '\xff'));
  CHECK_FALSE(nonsense.receive());
  CHECK(client.run({.script = "", .timeout_ms = 500, .request = "{}", .response = {}}).success);
}

TEST_CASE("script host: bodies of one MiB go in and out") {
  Scripts scripts;
  std::string big(1 << 20, 'x');
  const auto text = scripts.client.run({.script = "request.body = request.body + 'y'",
                                        .timeout_ms = 1000,
                                        .request = R"({"headers":{},"body":")" + big + "\"}",
                                        .response = {}});
  CHECK(body_of(text) == big + "y");
  const auto json = scripts.client.run({.script = "request.body.a = 1",
                                        .timeout_ms = 1000,
                                        .max_heap_mb = 64,
                                        .request = R"({"headers":{},"body":"{\"k\":\")" + big + R"(\"}"})",
                                        .response = {}});
  CHECK(body_of(json) == R"({"k":")" + big + R"(","a":1})");
}

TEST_CASE("script host: calls share the workers, and none of them costs a process") {
  Scripts scripts;
  REQUIRE(scripts.request("", "{}").success);
  const auto workers = scripts.host.workers();
  const double before = cpu_milliseconds(workers.at(0)) + cpu_milliseconds(workers.at(1));
  constexpr int kCalls = 1000;
  for (int i = 0; i < kCalls; ++i) {
    const auto reply = scripts.request("request.headers['x-kind'] = request.body.user.kind;",
                                       R"({"headers":{"A":"b"},"body":"{\"user\":{\"kind\":\"a\"}}"})");
    REQUIRE(reply.success);
  }
  CHECK(scripts.host.workers() == workers);
  MESSAGE("CPU time of a call: ", (cpu_milliseconds(workers.at(0)) + cpu_milliseconds(workers.at(1)) - before) / kCalls,
          " ms");
}

TEST_CASE("script host: to look into a JSON body of one MiB keeps within the default memory") {
  std::string list = R"({"headers":{},"body":"[)";
  while (list.size() < 1 << 20) list += R"({\"role\":\"user\",\"content\":\"a few words of text\"},)";
  list += R"(1]"})";
  Scripts scripts;
  const auto reply = scripts.client.run(
      {.script = "request.headers.n = request.body[0].role", .timeout_ms = 10'000, .request = list, .response = {}});
  CHECK(reply.text == R"({"headers":{"n":"user"}})");
}
