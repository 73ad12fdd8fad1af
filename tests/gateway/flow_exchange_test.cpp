#include <doctest/doctest.h>

#include <string>

#include "tests/gateway/flow_gateway.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr std::string_view body = R"({"kind":"a"})";
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

std::string expecting(const Endpoint& provider) {
  return "POST http://" + provider.text() +
         "/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("flows: where the gateway has told a client to go on, the provider's 100 does not reach it again") {
  Provider provider([](Wire& wire, int) {
    CHECK(wire.receive_until("\r\n\r\n").find("Expect: 100-continue") != std::string::npos);
    CHECK(wire.receive(body.size()) == body);
    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    wire.send(go_on);
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    wire.closed_by_peer();
  });
  FlowGateway proxy(FlowScene().flow(R"(
name: Held
filter: {url: "127.0.0.1/*", body: [{key: kind, regex_match: "^a$"}]}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)"));
  Wire client = proxy.client();
  client.send(expecting(provider.address()));
  CHECK(client.receive_until("\r\n\r\n") == go_on);
  CHECK(provider.connections() == 0);
  client.send(body);
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 103 "));
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  CHECK(client.receive(4) == "done");
}

TEST_CASE("flows: a client hears 100 once, however often its request is sent again") {
  Provider provider([](Wire& wire, int connection) {
    wire.receive_until("\r\n\r\n");
    wire.send(go_on);
    CHECK(wire.receive(body.size()) == body);
    wire.send(connection == 1 ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
                              : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    wire.closed_by_peer();
  });
  FlowGateway proxy(FlowScene().flow(R"(
name: Stubborn
filter: {url: "127.0.0.1/*"}
processors: {Again: {processor: Retry, parameters: [{key: attempts, value: 1}]}}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Again}}}
    - {from: {processor: {name: Again, condition: failed}}, to: {stream: {name: s, at: end}}}
)"));
  Wire client = proxy.client();
  client.send(expecting(provider.address()));
  CHECK(client.receive_until("\r\n\r\n") == go_on);
  client.send(body);
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  CHECK(client.receive(4) == "done");
  CHECK(provider.connections() == 2);
}

TEST_CASE(
    "flows: what they made of a request whose provider cannot be reached is kept, with the status of our answer") {
  FlowScene scene;
  scene.flow(flow_with("Asked", "{url: \"127.0.0.1/*\"}",
                       "{Count: {processor: UserDefinedMetrics, parameters: [{key: metric_name, value: asked}]}}",
                       "[" + edge("start", "Count") + "]"));
  Endpoint closed;
  listen_on_loopback(closed).reset();
  FlowGateway gateway(scene);
  Wire client = gateway.client();
  client.send(request_to(closed, "GET /"));
  const Received answer = receive_message(client);
  const FlowRecord record = gateway.next_record();
  CHECK(emissions_of<emission::UserMetric>(record).size() == 1);
  CHECK(record.facts.status > 500);
  CHECK(answer.head.starts_with("HTTP/1.1 " + std::to_string(record.facts.status)));
}
