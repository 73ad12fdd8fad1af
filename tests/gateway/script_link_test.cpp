// Scripts of a gateway whose script host comes and goes; the test is the host.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "agent/script/frame.h"
#include "tests/gateway/flow_gateway.h"

using namespace lunar;
using namespace lunar::test;

namespace {

// Answers 200 where its script worked, 503 otherwise.
FlowScene scripted() {
  return std::move(FlowScene().flow(R"(
name: Scripted
filter: {url: "127.0.0.1/*"}
processors:
  Run: {processor: CustomScript, parameters: [{key: script_text, value: "request.headers.seen = 'yes'"}]}
  Yes: {processor: GenerateResponse}
  No: {processor: GenerateResponse, parameters: [{key: status, value: 503}]}
flow:
  request:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Run}}}
    - {from: {processor: {name: Run, condition: success}}, to: {processor: {name: Yes}}}
    - {from: {processor: {name: Run, condition: failure}}, to: {processor: {name: No}}}
  response:
    - {from: {processor: {name: Yes}}, to: {stream: {name: s, at: end}}}
    - {from: {processor: {name: No}}, to: {stream: {name: s, at: end}}}
)"));
}

// The host's end of the only worker's socket.
class Host {
 public:
  explicit Host(gateway::Gateway& gateway) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    wire_.emplace(Fd(ends[0]));
    std::vector<Fd> theirs;
    theirs.emplace_back(ends[1]);
    gateway.connect_scripts(std::move(theirs));
  }
  // The number of the next call.
  uint64_t call() {
    std::string head = wire_->receive(sizeof(script::FrameHead));
    REQUIRE(head.size() == sizeof(script::FrameHead));
    uint32_t size = 0;
    memcpy(&size, head.data(), sizeof size);
    script::FrameReader reader;
    reader.feed(head + wire_->receive(size));
    const auto frame = reader.next();
    REQUIRE(frame);
    return frame->head.id;
  }
  void succeed(uint64_t call) {
    wire_->send(
        script::encode_frame({.kind = script::FrameKind::success, .id = call}, R"({"headers":{"seen":"yes"}})"));
  }
  void leave() { wire_.reset(); }
  [[nodiscard]] bool left_alone() { return wire_->closed_by_peer(); }

 private:
  std::optional<Wire> wire_;
};

constexpr std::string_view request = "GET http://127.0.0.1:9/ HTTP/1.1\r\n\r\n";

std::string status_of_answer(Wire& client) { return receive_message(client).head.substr(9, 3); }

}  // namespace

TEST_CASE("scripts: without a host a script fails at once, and works as soon as one is connected") {
  FlowGateway gateway(scripted());
  Wire client = gateway.client();
  client.send(request);
  CHECK(status_of_answer(client) == "503");
  Host host(gateway.gateway());
  client.send(request);
  host.succeed(host.call());
  CHECK(status_of_answer(client) == "200");
}

TEST_CASE("scripts: a host that goes costs the calls it has, and the next one is used by the same gateway") {
  FlowGateway gateway(scripted());
  Host first(gateway.gateway());
  Wire client = gateway.client(), other = gateway.client();
  client.send(request);
  const uint64_t lost = first.call();
  other.send(request);
  CHECK(first.call() != lost);
  first.leave();
  CHECK(status_of_answer(client) == "503");
  CHECK(status_of_answer(other) == "503");

  Host second(gateway.gateway());
  client.send(request);
  const uint64_t call = second.call();
  CHECK(call > lost);  // no number is used twice
  second.succeed(lost);
  CHECK(client.silent_for(std::chrono::milliseconds(50)));  // an answer to what nobody asked any more
  second.succeed(call);
  CHECK(status_of_answer(client) == "200");
}

TEST_CASE("scripts: another host takes the place of one that is still there") {
  FlowGateway gateway(scripted());
  Host first(gateway.gateway());
  Wire client = gateway.client();
  client.send(request);
  (void)first.call();
  Host second(gateway.gateway());
  CHECK(status_of_answer(client) == "503");
  CHECK(first.left_alone());
  client.send(request);
  second.succeed(second.call());
  CHECK(status_of_answer(client) == "200");
}

TEST_CASE("scripts: what is no frame ends the connection and fails the call") {
  FlowGateway gateway(scripted());
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Wire host{Fd(ends[0])};
  std::vector<Fd> theirs;
  theirs.emplace_back(ends[1]);
  gateway.gateway().connect_scripts(std::move(theirs));
  Wire client = gateway.client();
  client.send(request);
  CHECK(host.receive(sizeof(script::FrameHead)).size() == sizeof(script::FrameHead));
  host.send(std::string(sizeof(script::FrameHead), '\xff'));
  CHECK(status_of_answer(client) == "503");
}
