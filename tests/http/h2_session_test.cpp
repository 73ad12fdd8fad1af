#include "agent/http/h2_session.h"

#include <doctest/doctest.h>

#include <string>

#include "agent/http/h2_preface.h"
#include "agent/http/h2_websocket.h"
#include "tests/http/h2_frames.h"
#include "tests/http/h2_owner.h"

using namespace lunar;
using namespace lunar::test;
using http::H2Code;
using http::H2Session;
using http::StreamId;

namespace {

constexpr std::string_view get = "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view post = "POST /p HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view chunked_response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view chunked_result = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

// One request of every kind, and its answer; what both sides have seen.
std::string conversation(size_t piece) {
  H2Pair pair;
  pair.piece = piece;
  StreamId first = pair.request(get);
  StreamId second = pair.request(std::string(post) + chunk("hello") + "0\r\nX-Sum: 5\r\n\r\n");
  pair.give(pair.server, pair.server.order.at(1),
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + std::string(chunked_response) + chunk("world") +
                "0\r\nGrpc-Status: 0\r\n\r\n");
  pair.give(pair.server, pair.server.order.at(0), "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  std::string seen = pair.server.streams[1].bytes + "|" + pair.client.streams[first].bytes + "|" +
                     pair.client.streams[second].bytes.substr(0, 57);
  CHECK(payload(pair.server.streams[3].bytes) == "hello");
  CHECK(pair.server.streams[3].bytes.ends_with("0\r\nx-sum: 5\r\n\r\n"));
  CHECK(pair.client.streams[second].bytes.ends_with("0\r\ngrpc-status: 0\r\n\r\n"));
  for (H2Owner* owner : {&pair.client, &pair.server}) {
    for (const auto& [id, record] : owner->streams) {
      CHECK(record.endings == 1);
      CHECK(record.closings == 1);
      CHECK(record.code == H2Code::no_error);
    }
    CHECK(owner->session.streams() == 0);
    CHECK(!owner->session.over());
  }
  return seen;
}

}  // namespace

TEST_CASE("h2 session: a request and its response arrive as HTTP/1.1") {
  CHECK(conversation(16 * 1024) ==
        "GET /a HTTP/1.1\r\nhost: a.example\r\n\r\n|HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno|"
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n");
}

TEST_CASE("h2 session: pieces of any size make no difference") {
  std::string whole = conversation(16 * 1024);
  for (size_t piece : {1, 2, 3, 7, 9, 64, 1000}) {
    CAPTURE(piece);
    CHECK(conversation(piece) == whole);
  }
}

TEST_CASE("h2 session: a client's bytes, at every split") {
  std::string bytes = std::string(http::h2_preface) + settings_frame({}) + settings_ack() +
                      headers_frame(1, post_fields(), flag::end_headers) + data_frame(1, "hello") +
                      headers_frame(1, {{"x-sum", "5"}});
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    H2Owner server(H2Session::Role::server, {});
    server.session.feed(std::string_view(bytes).substr(0, cut), {});
    server.session.feed(std::string_view(bytes).substr(cut), {});
    CAPTURE(cut);
    CHECK(payload(server.streams[1].bytes) == "hello");
    CHECK(server.streams[1].bytes.ends_with("0\r\nx-sum: 5\r\n\r\n"));
    CHECK(server.streams[1].endings == 1);
  }
}

TEST_CASE("h2 session: what is provided may come in any pieces") {
  std::string request = std::string(post) + chunk("hello") + "0\r\nA: b\r\n\r\n";
  for (size_t cut = 0; cut <= request.size(); ++cut) {
    H2Pair pair;
    StreamId id = pair.client.session.open();
    CHECK(pair.client.session.provide(id, request.substr(0, cut)) == cut);
    pair.run();
    bool complete = cut == request.size();
    CHECK((pair.server.streams[1].endings == 1) == complete);
    pair.give(pair.client, id, request.substr(cut));
    CHECK(payload(pair.server.streams[1].bytes) == "hello");
    CHECK(pair.server.streams[1].bytes.ends_with("a: b\r\n\r\n"));
    CHECK(pair.server.streams[1].endings == 1);
  }
}

TEST_CASE("h2 session: a response without a body is one frame, as gRPC wants it") {
  H2Owner server(H2Session::Role::server, {});
  server.session.feed(std::string(http::h2_preface) + settings_frame({}) + headers_frame(1, request_fields()), {});
  (void)server.pull();
  CHECK(server.session.provide(1, "HTTP/1.1 200 OK\r\nContent-length: 0\r\ngrpc-status: 12\r\n\r\n") == 55);
  std::vector<Frame> back = frames_of(server.pull());
  REQUIRE(back.size() == 1);
  CHECK(back[0].type == headers);
  CHECK(back[0].flags == flag::whole);
}

TEST_CASE("h2 session: many streams at once, answered in another order") {
  H2Pair pair;
  std::vector<StreamId> ids;
  for (int i = 0; i < 100; ++i)
    ids.push_back(pair.request("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(!pair.client.session.can_open());
  CHECK(pair.client.session.open() == 0);
  REQUIRE(pair.server.order.size() == 100);
  for (size_t i = 100; i-- > 0;)
    pair.give(pair.server, pair.server.order[i],
              "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + std::to_string(i % 90 + 10));
  for (size_t i = 0; i < 100; ++i) CHECK(pair.client.streams[ids[i]].bytes.ends_with(std::to_string(i % 90 + 10)));
  CHECK(pair.client.session.can_open());
}

TEST_CASE("h2 session: a stream has no number before its head is complete, so that slow ones hold nobody up") {
  H2Pair pair;
  StreamId slow = pair.client.session.open();
  CHECK(pair.client.session.provide(slow, get.substr(0, 10)) == 10);
  StreamId quick = pair.request("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(quick != slow);
  CHECK(pair.server.streams[1].bytes.starts_with("GET /quick "));
  pair.give(pair.client, slow, get.substr(10));
  CHECK(pair.server.streams[3].bytes.starts_with("GET /a "));
}

TEST_CASE("h2 session: both sides speak in turn, and the status comes in trailers") {
  H2Pair pair;
  StreamId id = pair.request(
      "POST /pkg.Service/Chat HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Type: application/grpc\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  pair.give(pair.server, 1, chunked_response);
  CHECK(pair.client.streams[id].bytes == chunked_result);
  std::string said;
  std::string heard;
  for (int i = 0; i < 20; ++i) {
    said += "ping" + std::to_string(i);
    pair.give(pair.client, id, chunk("ping" + std::to_string(i)));
    CHECK(payload(pair.server.streams[1].bytes) == said);
    heard += "pong" + std::to_string(i);
    pair.give(pair.server, 1, chunk("pong" + std::to_string(i)));
    CHECK(payload(pair.client.streams[id].bytes) == heard);
  }
  pair.give(pair.client, id, "0\r\n\r\n");
  CHECK(pair.server.streams[1].endings == 1);
  CHECK(pair.server.streams[1].closings == 0);
  pair.give(pair.server, 1, "0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n");
  CHECK(pair.client.streams[id].bytes.ends_with("0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n"));
  CHECK(pair.client.streams[id].closings == 1);
  CHECK(pair.server.streams[1].closings == 1);
}

TEST_CASE("h2 session: a message that breaks HTTP/1.1 ends its stream alone") {
  H2Pair pair;
  for (std::string_view response : {"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz"}) {
    StreamId id = pair.request(get);
    StreamId number = pair.server.order.back();
    pair.give(pair.server, number, response);
    CHECK(pair.server.streams[number].closings == 1);
    CHECK(pair.server.streams[number].code == H2Code::internal_error);
    CHECK(pair.client.streams[id].code == H2Code::internal_error);
  }
  StreamId id = pair.request("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  CHECK(pair.client.streams[id].closings == 1);
  CHECK(pair.client.streams[id].reason == "whitespace before the colon");
  CHECK(!pair.client.session.over());
}

TEST_CASE("h2 session: a message that is cut short is a reset, one that ends with its connection is complete") {
  H2Pair pair;
  StreamId cut = pair.request(get);
  StreamId whole = pair.request(get);
  pair.give(pair.server, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  pair.server.session.finish(1);
  pair.give(pair.server, 3, "HTTP/1.1 200 OK\r\n\r\nhel");
  pair.server.session.finish(3);
  pair.run();
  CHECK(pair.client.streams[cut].code == H2Code::internal_error);
  CHECK(pair.client.streams[cut].endings == 0);
  CHECK(payload(pair.client.streams[whole].bytes) == "hel");
  CHECK(pair.client.streams[whole].endings == 1);
}

TEST_CASE("h2 session: a WebSocket over both versions") {
  H2Pair pair;
  CHECK(pair.client.session.peer_offers_extended_connect());
  StreamId id = pair.request(
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  const std::string& request = pair.server.streams[1].bytes;
  CHECK(request.starts_with("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"));
  size_t key = request.find("sec-websocket-key: ") + 19;
  pair.give(pair.server, 1,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
                http::websocket_accept(request.substr(key, 24)) + "\r\n\r\n\x81\x02hi");
  CHECK(pair.client.streams[id].bytes ==
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi");
  pair.give(pair.client, id, "\x81\x82mask..");
  CHECK(pair.server.streams[1].bytes.ends_with("\r\n\r\n\x81\x82mask.."));
  pair.client.session.finish(id);
  pair.server.session.finish(1);
  pair.run();
  CHECK(pair.server.streams[1].endings == 1);
  CHECK(pair.client.streams[id].closings == 1);
  CHECK(pair.client.streams[id].code == H2Code::no_error);
}

TEST_CASE("h2 session: a WebSocket is refused where the peer has not offered extended CONNECT") {
  http::H2Options without;
  without.extended_connect = false;
  H2Pair pair({}, without);
  StreamId id = pair.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK(!pair.client.session.peer_offers_extended_connect());
  CHECK(pair.client.streams[id].reason == "the peer does not offer extended CONNECT");
  CHECK(pair.server.streams.empty());
}

TEST_CASE("h2 session: crumbs, never-indexed fields and large heads survive the way through both versions") {
  H2Pair pair;
  std::string cookie(20'000, 'c');
  StreamId id = pair.request("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=" + cookie +
                             "\r\nAuthorization: Bearer t\r\nX-Big: " + std::string(20'000, 'b') + "\r\n\r\n");
  CHECK(pair.server.streams[1].bytes == "GET / HTTP/1.1\r\nhost: a\r\ncookie: a=" + cookie +
                                            "\r\nauthorization: Bearer t\r\nx-big: " + std::string(20'000, 'b') +
                                            "\r\n\r\n");
  CHECK(pair.client.streams[id].closings == 0);
}
