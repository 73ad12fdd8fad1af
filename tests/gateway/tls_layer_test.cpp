#include "agent/gateway/tls_layer.h"

#include "agent/uring/pump.h"
#include "tests/net/tls_ends.h"
#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::test;
using lunar::gateway::TlsLayer;
namespace ring = lunar::uring::test;

namespace {

// Two streams, client and server, each under TLS, over loopback.
struct Covered {
  ring::Ground ground;
  ring::Pair sockets = ring::tcp_pair();
  uring::Waker client_waker{ground.loop}, server_waker{ground.loop};
  uring::StreamRef client, server;
  TlsLayer* client_tls = nullptr;
  TlsLayer* server_tls = nullptr;

  explicit Covered(TlsVersions versions = {}) {
    client = ground.adopt(std::move(sockets.theirs));
    server = ground.adopt(std::move(sockets.ours));
    client->wake(&client_waker);
    server->wake(&server_waker);
    client_tls = cover(*client, connect(world().client_context(versions)));
    server_tls = cover(*server, accept(world().server_context(versions)));
  }
  ~Covered() {
    client.reset();
    server.reset();
  }

  static TlsLayer* cover(uring::Stream& stream, std::unique_ptr<TlsEngine> engine) {
    auto layer = std::make_unique<TlsLayer>(std::move(engine));
    TlsLayer* out = layer.get();
    stream.cover(std::move(layer));
    return out;
  }
  [[nodiscard]] bool open() {
    return ground.until([&] { return !client->connecting() && !server->connecting(); });
  }
  // Everything up to that many bytes.
  [[nodiscard]] std::string receive(uring::Stream& stream, size_t bytes) {
    std::string all;
    CHECK(ground.until([&] {
      all += ring::take_all(stream);
      return all.size() >= bytes || stream.error() != 0 || stream.ended();
    }));
    return all;
  }
};

}  // namespace

TEST_CASE("TLS on streams: connecting lasts until the handshake is complete, and what was sent before waits for it") {
  for (TlsVersions versions : {only_1_2, only_1_3}) {
    Covered pair(versions);
    CHECK(pair.client->covered());
    CHECK(pair.client->connecting());
    CHECK(pair.client->was_connected());
    pair.client->send(pair.ground.piece("early question"));
    CHECK(pair.client->unsent() >= 14);
    REQUIRE(pair.open());
    CHECK(pair.receive(*pair.server, 14) == "early question");
    pair.server->send(pair.ground.piece("answer"));
    CHECK(pair.receive(*pair.client, 6) == "answer");
    CHECK(pair.ground.until([&] { return pair.client->unsent() == 0 && pair.server->unsent() == 0; }));
    CHECK(pair.client_tls->engine().verified());
  }
}

TEST_CASE("TLS on streams: a layer sees what had arrived before it was there") {
  ring::Ground ground;
  ring::Pair sockets = ring::tcp_pair();
  uring::StreamRef client = ground.adopt(std::move(sockets.theirs));
  uring::StreamRef server = ground.adopt(std::move(sockets.ours));
  Covered::cover(*client, connect(world().client_context()));
  REQUIRE(ground.until([&] { return server->input() != nullptr; }));
  ground.settle();
  Covered::cover(*server, accept(world().server_context()));
  CHECK(server->input() == nullptr);
  CHECK(ground.until([&] { return !client->connecting() && !server->connecting(); }));
  client.reset();
  server.reset();
}

TEST_CASE("TLS on streams: 20 MB arrive unchanged, as fast as the reader takes them and no faster") {
  Covered pair;
  REQUIRE(pair.open());
  const std::string block = ring::pattern(100'000);
  constexpr size_t blocks = 200;
  size_t sent = 0;
  std::string received;
  uint32_t most_waiting = 0;
  CHECK(pair.ground.until([&] {
    while (sent < blocks && pair.server->unsent() < 256 * 1024) {
      pair.server->send(pair.ground.piece(block));
      ++sent;
    }
    most_waiting = std::max(most_waiting, pair.client->input_bytes());
    received += ring::take_all(*pair.client);
    return received.size() == blocks * block.size();
  }));
  bool same = true;
  for (size_t i = 0; i < blocks; ++i) same = same && received.compare(i * block.size(), block.size(), block) == 0;
  CHECK(same);
  // What the kernel had delivered in one turn still comes; see uring/README.md.
  CHECK(most_waiting <= 5 * 1024 * 1024);
}

TEST_CASE("TLS on streams: an end that is announced is no doubt, one that is not is told and can be passed on") {
  for (bool announced : {true, false}) {
    CAPTURE(announced);
    Covered pair;
    REQUIRE(pair.open());
    pair.server->send(pair.ground.piece("all of it"));
    if (!announced) pair.server->leave_end_in_doubt();
    pair.server->finish_sending();
    CHECK(pair.receive(*pair.client, 9) == "all of it");
    CHECK(pair.ground.until([&] { return pair.client->ended(); }));
    CHECK(pair.client->end_in_doubt() == !announced);
    CHECK(pair.client->error() == 0);
    // The other direction is still open.
    pair.client->send(pair.ground.piece("still here"));
    CHECK(pair.receive(*pair.server, 10) == "still here");
    pair.client->finish_sending();
    CHECK(pair.ground.until([&] { return pair.server->ended(); }));
    CHECK_FALSE(pair.server->end_in_doubt());
  }
}

TEST_CASE("TLS on streams: a server that is somebody else fails the stream, and its engine says why") {
  ring::Ground ground;
  ring::Pair sockets = ring::tcp_pair();
  uring::StreamRef client = ground.adopt(std::move(sockets.theirs));
  uring::StreamRef server = ground.adopt(std::move(sockets.ours));
  auto context = TlsClientContext::create({});  // believes nobody
  REQUIRE(context.has_value());
  TlsLayer* client_tls = Covered::cover(*client, connect(*context));
  Covered::cover(*server, accept(world().server_context()));
  CHECK(ground.until([&] { return client->error() != 0; }));
  CHECK(client->error() == EKEYREJECTED);
  CHECK(client->input() == nullptr);
  CHECK(client_tls->engine().state() == TlsState::untrusted);
  client.reset();
  server.reset();
}

TEST_CASE("TLS on streams: bytes that are no TLS fail the stream, a peer that leaves in the handshake too") {
  for (bool speaks : {true, false}) {
    CAPTURE(speaks);
    ring::Ground ground;
    ring::Pair sockets = ring::tcp_pair();
    uring::StreamRef server = ground.adopt(std::move(sockets.ours));
    TlsLayer* tls = Covered::cover(*server, accept(world().server_context()));
    if (speaks) {
      ring::send_all(sockets.theirs, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
    } else {
      REQUIRE(shutdown(sockets.theirs.get(), SHUT_WR) == 0);
    }
    CHECK(ground.until([&] { return server->error() != 0; }));
    CHECK(server->error() == (speaks ? EPROTO : ECONNRESET));
    CHECK(tls->engine().state() == (speaks ? TlsState::failed : TlsState::truncated));
    CHECK_FALSE(tls->engine().failure().reason.empty());
    server.reset();
  }
}

TEST_CASE("TLS on streams: a relay passes both ends on as they were, doubt included") {
  for (bool announced : {true, false}) {
    CAPTURE(announced);
    Covered pair;
    REQUIRE(pair.open());
    ring::Pair sockets = ring::tcp_pair();
    uring::StreamRef left = pair.ground.adopt(std::move(sockets.theirs));
    uring::StreamRef right = pair.ground.adopt(std::move(sockets.ours));
    TlsLayer* left_tls = Covered::cover(*left, connect(world().client_context()));
    Covered::cover(*right, accept(world().server_context()));
    REQUIRE(pair.ground.until([&] { return !left->connecting() && !right->connecting(); }));
    REQUIRE(left_tls->engine().established());
    // left | right <-> client | server
    uring::Pump pump(*right, *pair.client);
    pair.server->send(pair.ground.piece("from afar"));
    if (!announced) pair.server->leave_end_in_doubt();
    pair.server->finish_sending();
    std::string got;
    CHECK(pair.ground.until([&] {
      (void)pump.step();
      got += ring::take_all(*left);
      return left->ended();
    }));
    CHECK(got == "from afar");
    CHECK(left->end_in_doubt() == !announced);
    left.reset();
    right.reset();
  }
}
