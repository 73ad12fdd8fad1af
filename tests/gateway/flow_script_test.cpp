// CustomScript (flows.md §7.8) with real scripts: what they change reaches provider and client.
#include <doctest/doctest.h>

#include "tests/gateway/flow_gateway.h"
#include "tests/script/script_host.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

std::string running(std::string_view key, std::string_view text, std::string_view more = "") {
  return std::string(key) + ": {processor: CustomScript, parameters: [{key: script_text, value: \"" +
         std::string(text) + "\"}" + std::string(more) + "]}, ";
}

// A script in each direction; where one fails, `x-failed` says so.
FlowScene scripted(const std::string& ask, const std::string& say) {
  FlowScene scene;
  scene.flow(flow_with("Scripted", "{url: \"127.0.0.1/*\"}",
                       "{" + ask + say + setting("AskFailed", "request.headers.x-failed", "\"yes\"") +
                           setting("SayFailed", "response.headers.x-failed", "\"yes\"") + "}",
                       "[" + edge("start", "Ask") + ", " + edge("Ask:failure", "AskFailed") + "]",
                       "[" + edge("start", "Say") + ", " + edge("Say:failure", "SayFailed") + "]"));
  return scene;
}

constexpr std::string_view json = "Content-Type: application/json\r\n";

}  // namespace

TEST_CASE("7.8: what a script changes of a request reaches the provider, what it changes of a response the client") {
  testing::ScriptHostProcess host(1);
  AnsweringProvider old({answer_with("")});
  AnsweringProvider other({answer_with(R"({"n":1})", json)});
  const std::string ask = running("Ask",
                                  "request.headers['x-kind'] = request.body.kind; request.body.seen = true; "
                                  "request.path = '/there'; request.query = 'a=1'; request.host = '" +
                                      other.address().text() + "';");
  const std::string say = running("Say",
                                  "response.status = 202; response.headers['x-made'] = btoa(request.method); "
                                  "response.body.n += 1;");
  FlowGateway gateway(scripted(ask, say), {.adjust = {}, .domains = {}, .scripts = host.connect()});
  Wire client = gateway.client();
  client.send(request_to(old.address(), "POST /here?b=2", json, R"({"kind":"a"})"));
  const Received answer = receive_message(client);
  REQUIRE(other.requests() == 1);
  const Received sent = other.request(0);
  CHECK(sent.head.starts_with("POST /there?a=1 HTTP/1.1\r\n"));
  CHECK(sent.field("host") == other.address().text());
  CHECK(sent.field("x-kind") == "a");
  CHECK(sent.body == R"({"kind":"a","seen":true})");
  CHECK(answer.head.starts_with("HTTP/1.1 202 Accepted\r\n"));
  CHECK(answer.field("x-made") == "UE9TVA==");
  CHECK(answer.body == R"({"n":2})");
  CHECK(old.requests() == 0);
}

TEST_CASE("7.8: of a script that throws or meets a limit nothing applies, and its output is failure") {
  testing::ScriptHostProcess host(1);
  const std::string scripts[] = {
      running("Ask", "request.headers['x-never'] = 'yes'; throw 'no';"),
      running("Ask", "request.headers['x-never'] = 'yes'; for (;;) {}", ", {key: timeout_ms, value: 20}"),
      running("Ask", "request.headers['x-never'] = 'yes'; for (var all = [];;) all.push(new Array(99999).join('x'));",
              ", {key: max_heap_mb, value: 2}, {key: timeout_ms, value: 1000}"),
  };
  for (const std::string& ask : scripts) {
    CAPTURE(ask);
    AnsweringProvider provider({answer_with("fine")});
    FlowGateway gateway(scripted(ask, running("Say", "response.headers['x-after'] = 'yes';")),
                        {.adjust = {}, .domains = {}, .scripts = host.connect()});
    Wire client = gateway.client();
    client.send(request_to(provider.address(), "GET /"));
    const Received answer = receive_message(client);
    CHECK(answer.body == "fine");
    CHECK(answer.field("x-after") == "yes");
    CHECK(provider.request(0).field("x-failed") == "yes");
    CHECK_FALSE(provider.request(0).field("x-never"));
    const FlowRecord record = gateway.next_record();
    CHECK(emissions_of<emission::ScriptFailed>(record).size() == 1);
    CHECK(emissions_of<emission::ProcessorFailed>(record).empty());
  }
}

TEST_CASE("7.8: where no script host runs the output is failure") {
  AnsweringProvider provider({answer_with("fine")});
  FlowGateway gateway(scripted(running("Ask", "request.path = '/never';"), running("Say", "response.status = 500;")));
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  const Received answer = receive_message(client);
  CHECK(answer.head.starts_with("HTTP/1.1 200 "));
  CHECK(answer.field("x-failed") == "yes");
  CHECK(provider.request(0).head.starts_with("GET / HTTP/1.1\r\n"));
}

TEST_CASE("6.4: the time that the provider takes does not count for flows.processing_timeout") {
  testing::ScriptHostProcess host(1);
  constexpr auto timeout = 200ms;
  Provider provider([timeout](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    CHECK(wire.silent_for(2 * timeout));  // longer than a pass may take
    wire.send(answer_with("late"));
    wire.closed_by_peer();
  });
  FlowGateway gateway(scripted(running("Ask", ""), running("Say", "response.headers['x-after'] = 'yes';")),
                      {.adjust = [timeout](LunardConfig& config) { config.flows.processing_timeout = timeout; },
                       .domains = {},
                       .scripts = host.connect()});
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  const Received answer = receive_message(client);
  CHECK(answer.field("x-after") == "yes");
  CHECK(answer.body == "late");
}
