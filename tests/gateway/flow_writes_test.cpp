#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

#include "tests/gateway/flow_gateway.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr std::string_view passing = R"(
name: Passing
filter: {url: "127.0.0.1/*"}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)";
constexpr std::string_view holding = R"(
name: Holding
filter: {url: "127.0.0.1/*", expressions: [{key: $.response.body.kind, operation: exists}]}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)";

// How many segments with data have come. On loopback that is how many writes there were, as long as none is larger than
// a segment, which has 64 KiB there.
uint32_t segments_received(const Wire& wire) {
  struct {
    tcp_info known;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in;
  } info{};
  static_assert(sizeof(tcp_info) == 104, "the kernel's structure goes on with 64-bit members here");
  socklen_t length = sizeof info;
  REQUIRE(getsockopt(wire.fd(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  return info.data_segs_in;
}

}  // namespace

TEST_CASE("flows: the head of an answer and what is there of its body go out in one write") {
  const std::string body = R"({"kind":"a"})";
  for (std::string_view flow : {passing, holding}) {
    AnsweringProvider provider({answer_with(body)});
    FlowGateway gateway(FlowScene().flow(std::string(flow)));
    Wire client = gateway.client();
    for (uint32_t writes = 1; writes <= 3; ++writes) {
      client.send(request_to(provider.address(), "GET /"));
      CHECK(receive_message(client).body == body);
      CHECK(segments_received(client) == writes);
    }
  }
}

TEST_CASE("flows: a body that does not fit behind its head arrives whole") {
  for (const size_t size : {size_t{15'000}, size_t{16'384}, size_t{40'000}}) {
    std::string body;
    while (body.size() < size) body += std::to_string(body.size()) + ",";
    for (std::string_view flow : {passing, holding}) {
      AnsweringProvider provider({answer_with(body)});
      FlowGateway gateway(FlowScene().flow(std::string(flow)));
      Wire client = gateway.client();
      client.send(request_to(provider.address(), "GET /"));
      CHECK(receive_message(client).body == body);
    }
  }
}
