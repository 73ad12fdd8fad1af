// Rules of flows.md that need a gateway between a client and a provider: lines, times, failures, replays, hosts.
#include <doctest/doctest.h>

#include <future>

#include "tests/gateway/flow_gateway.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view everything = "{url: \"127.0.0.1/*\"}";

FlowGateway::Parts with(ProxyGateway::Adjust adjust) {
  return {.adjust = std::move(adjust), .domains = {}, .scripts = {}};
}

// One call at a time; the others wait in a line, and what was admitted carries `mark`.
FlowScene lined_up(std::string_view mark, std::string_view on_error = "continue") {
  FlowScene scene;
  scene.quota(R"(quotas: [{id: One, filter: {url: "127.0.0.1/*"}, strategy: {concurrent: {max_request_count: 1}}}])");
  scene.flow(
      flow_with("Line", everything,
                "{Wait: {processor: Queue, parameters: [{key: quota_id, value: One}, {key: queue_size, value: 9}]}, "
                "Refuse: {processor: GenerateResponse, parameters: [{key: status, value: 503}, "
                "{key: body, value: the line is closed}]}, " +
                    setting("Mark", "request.headers.x-mark", mark) + "}",
                "[" + edge("start", "Wait") + ", " + edge("Wait:allowed", "Mark") + ", " +
                    edge("Wait:blocked", "Refuse") + "]",
                "[" + edge("Refuse", "end") + "]") +
      "on_error: " + std::string(on_error) + "\n");
  return scene;
}

// Answers with the head that came; the request for /first waits until it is released.
class HoldingProvider {
 public:
  HoldingProvider()
      : released_(release_.get_future().share()), provider_([released = released_](Wire& wire, int) {
          for (;;) {
            const std::string head = wire.receive_until("\r\n\r\n");
            if (!head.ends_with("\r\n\r\n")) return;
            if (head.starts_with("GET /first")) released.wait();
            wire.send(answer_with(head));
          }
        }) {}

  void release() { release_.set_value(); }
  [[nodiscard]] std::string get(std::string_view path) const {
    return request_to(provider_.address(), "GET " + std::string(path));
  }
  [[nodiscard]] int connections() const { return provider_.connections(); }

 private:
  std::promise<void> release_;
  std::shared_future<void> released_;
  Provider provider_;
};

size_t waiting(FlowGateway& gateway) {
  size_t sum = 0;
  for (const LineNumber& one : gateway.gateway().flows().lines()) sum += one.waiting;
  return sum;
}

// A client at the provider, and one behind it in the line.
struct Crowd {
  Crowd(HoldingProvider& provider, FlowGateway& gateway) : first(gateway.client()), second(gateway.client()) {
    first.send(provider.get("/first"));
    REQUIRE(eventually([&] { return provider.connections() == 1; }));
    second.send(provider.get("/second"));
    REQUIRE(eventually([&] { return waiting(gateway) == 1; }));
  }

  Wire first, second;
};

}  // namespace

TEST_CASE("1.5: who waits in a line when flows are loaded finishes on the old ones") {
  HoldingProvider provider;
  FlowGateway gateway(lined_up("old"));
  Crowd crowd(provider, gateway);
  gateway.load(lined_up("new"));
  provider.release();
  CHECK(receive_message(crowd.first).body.contains("x-mark: old\r\n"));
  CHECK(receive_message(crowd.second).body.contains("x-mark: old\r\n"));
  crowd.second.send(provider.get("/third"));
  CHECK(receive_message(crowd.second).body.contains("x-mark: new\r\n"));
}

TEST_CASE("7.2 (5): a client that disconnects leaves the line") {
  HoldingProvider provider;
  FlowGateway gateway(lined_up("yes"));
  Crowd crowd(provider, gateway);
  crowd.second.abort();
  CHECK(eventually([&] { return waiting(gateway) == 0; }));
  provider.release();
  CHECK(receive_message(crowd.first).body.contains("GET /first "));
}

TEST_CASE("7.2 (6): on shutdown whoever waits is blocked and gets the answer of its flow") {
  HoldingProvider provider;
  FlowGateway gateway(lined_up("yes"));
  Crowd crowd(provider, gateway);
  gateway.gateway().shut_down();
  const Received refused = receive_message(crowd.second);
  CHECK(refused.head.starts_with("HTTP/1.1 503 "));
  CHECK(refused.body == "the line is closed");
  CHECK(refused.field("connection") == "close");
  provider.release();
  CHECK(receive_message(crowd.first).body.contains("GET /first "));
}

TEST_CASE("6.4: past flows.processing_timeout the rest of a flow counts as failed") {
  HoldingProvider provider;
  FlowGateway gateway(lined_up("yes"), with([](LunardConfig& config) { config.flows.processing_timeout = 100ms; }));
  Crowd crowd(provider, gateway);
  const Received passed = receive_message(crowd.second);
  CHECK(passed.body.contains("GET /second "));
  CHECK_FALSE(passed.body.contains("x-mark"));
  const auto failed = emissions_of<emission::ProcessorFailed>(gateway.next_record());
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].reason == "timeout");
  provider.release();
  CHECK(receive_message(crowd.first).body.contains("x-mark: yes\r\n"));
}

TEST_CASE("6.6: a flow that fails with on_error: block answers with error 20 and its name, in both directions") {
  AnsweringProvider provider({answer_with("no JSON")});
  FlowScene scene;
  for (std::string_view side : {"request", "response"}) {
    const std::string name(side);
    const std::string connections = "[" + edge("start", "Set") + "]";
    scene.flow(flow_with("Of-" + name, "{url: \"127.0.0.1/" + name + "\"}",
                         "{" + setting("Set", name + ".body.a", "b") + "}", side == "request" ? connections : "",
                         side == "request" ? "" : connections) +
               "on_error: block\n");
  }
  FlowGateway gateway(scene);
  Wire client = gateway.client();
  for (std::string_view side : {"request", "response"}) {
    CAPTURE(side);
    client.send(request_to(provider.address(), "GET /" + std::string(side)));
    const Received refused = receive_message(client);
    CHECK(refused.head.starts_with("HTTP/1.1 503 "));
    CHECK(refused.field("x-lunar-error") == "20");
    CHECK(refused.body.contains("Of-" + std::string(side)));
    CHECK(provider.requests() == (side == "request" ? 0 : 1));
  }
}

TEST_CASE("6.7: a new host is called in the place of the old one, and the flows stay those of the old one") {
  AnsweringProvider old({answer_with("old")});
  AnsweringProvider other({answer_with("other")});
  const std::string authority = other.address().text();
  FlowScene scene;
  scene.flow(flow_with(
      "Move", "{url: \"127.0.0.1:" + std::to_string(old.address().port) + "/moved\"}",
      "{" + setting("Host", "request.host", '"' + authority + '"') + setting("Path", "request.path", "/there") +
          setting("Say", "response.headers.x-moved", "\"yes\"") + "}",
      "[" + edge("start", "Host") + ", " + edge("Host", "Path") + "]", "[" + edge("start", "Say") + "]"));
  FlowGateway gateway(scene);
  Wire client = gateway.client();
  client.send(request_to(old.address(), "GET /moved"));
  const Received answer = receive_message(client);
  CHECK(answer.body == "other");
  CHECK(answer.field("x-moved") == "yes");
  CHECK(other.request(0).head.starts_with("GET /there HTTP/1.1\r\n"));
  CHECK(other.request(0).field("host") == authority);
  CHECK(old.requests() == 0);
}

TEST_CASE("6.7: a new host is checked against the domain lists") {
  AnsweringProvider provider({answer_with("never")});
  FlowScene scene;
  scene.flow(flow_with("Move", everything, "{" + setting("Host", "request.host", "127.0.0.9") + "}",
                       "[" + edge("start", "Host") + "]"));
  auto lists = DomainLists::create({}, {"^127\\.0\\.0\\.9"});
  REQUIRE(lists);
  FlowGateway gateway(scene, {.adjust = {}, .domains = *lists, .scripts = {}});
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  const Received refused = receive_message(client);
  CHECK(refused.head.starts_with("HTTP/1.1 403 "));
  CHECK(refused.field("x-lunar-error") == "7");
  CHECK(provider.requests() == 0);
}

TEST_CASE("4: in explicit modes flows see the path and the host that a request is for") {
  AnsweringProvider provider({answer_with("ok")});
  FlowScene scene;
  scene.flow(flow_with("Exact", "{url: \"127.0.0.1/a/{id}\", query_params: [{key: b, value: c}]}",
                       "{" + setting("Mark", "request.headers.x-mark", "\"yes\"") + "}",
                       "[" + edge("start", "Mark") + "]"));
  FlowGateway gateway(scene);
  const std::string authority = provider.address().text();
  const std::string forms[] = {
      "GET http://" + authority + "/a/1?b=c HTTP/1.1\r\nProxy-Connection: keep-alive\r\n\r\n",
      "GET /a/1?b=c HTTP/1.1\r\nHost: elsewhere.example.com\r\nx-lunar-host: " + authority + "\r\n\r\n",
  };
  Wire client = gateway.client();
  for (size_t i = 0; i < std::size(forms); ++i) {
    client.send(forms[i]);
    CHECK(receive_message(client).body == "ok");
    CHECK(provider.request(i).head == "GET /a/1?b=c HTTP/1.1\r\nHost: " + authority + "\r\nx-mark: yes\r\n\r\n");
  }
}

TEST_CASE("7.5: a replay has the whole request, for the provider and for who observes it") {
  AnsweringProvider provider({answer_with("", "", "503 Busy"), answer_with("fine")});
  FlowScene scene;
  scene.flow(flow_with("Again", everything,
                       "{Again: {processor: Retry, parameters: [{key: attempts, value: 3}]}, "
                       "Is: {processor: Filter, parameters: [{key: status_code, value: 503}]}, "
                       "Har: {processor: HARCollector, parameters: [{key: exporter_id, value: file}]}}",
                       "",
                       "[" + edge("start", "Har") + ", " + edge("start", "Is") + ", " + edge("Is:hit", "Again") + "]"));
  FlowGateway gateway(scene);
  const std::string body(20'000, 'x');
  const std::string request = request_to(provider.address(), "POST /", "", body);
  Wire client = gateway.client();
  // The body comes when its head is at the provider already, so that it is kept as it goes by.
  client.send(request.substr(0, request.size() - body.size()));
  client.send(body.substr(0, 10));
  client.send(body.substr(10));
  CHECK(receive_message(client).body == "fine");
  REQUIRE(provider.requests() == 2);
  for (size_t attempt : {0, 1}) {
    CHECK(provider.request(attempt).body == body);
    CHECK_FALSE(provider.request(attempt).field("x-lunar-retry-attempt"));
    const FlowRecord record = gateway.next_record();
    CHECK(record.facts.attempt == attempt);
    const auto captured = emissions_of<emission::CaptureHar>(record);
    REQUIRE(captured.size() == 1);
    CHECK((*captured[0].entry)["request"]["postData"]["text"] == body);
  }
}

TEST_CASE("7.5: a request whose body is above flows.body_limit is not sent again, and counted") {
  for (size_t bytes : {1000, 1001, 200'000}) {
    CAPTURE(bytes);
    AnsweringProvider provider({answer_with("", "", "503 Busy"), answer_with("fine")});
    FlowScene scene;
    scene.flow(flow_with("Again", everything, "{Again: {processor: Retry, parameters: [{key: attempts, value: 1}]}}",
                         "", "[" + edge("start", "Again") + "]"));
    FlowGateway gateway(scene, with([](LunardConfig& config) { config.flows.body_limit = 1000; }));
    Wire client = gateway.client();
    const bool fits = bytes <= 1000;
    client.send(request_to(provider.address(), "POST /", "", std::string(bytes, 'x')));
    CHECK(receive_message(client).body == (fits ? "fine" : ""));
    CHECK(provider.requests() == (fits ? 2 : 1));
    CHECK(skipped_views(gateway.next_record()) == (fits ? "" : "request body"));
  }
}
