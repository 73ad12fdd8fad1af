#include "agent/net/tls_engine.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <span>

#include "tests/net/tls_ends.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr TlsVersions each_version[] = {only_1_2, only_1_3};

void check_open(EngineEnd& client, EngineEnd& server, TlsVersions versions) {
  REQUIRE(client->state() == TlsState::open);
  REQUIRE(server->state() == TlsState::open);
  CHECK(client->established());
  CHECK(client->verified());
  CHECK(client->facts().version == versions.highest);
  CHECK(server->facts().version == versions.highest);
  CHECK(client->facts().cipher == server->facts().cipher);
}

std::string some_bytes(size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(i * 31 + i / 251);
  return out;
}

// Writes everything, and carries it over whenever the engine takes no more.
template <class Peer>
void send_all(EngineEnd& from, Peer& to, std::string_view plaintext) {
  while (!plaintext.empty()) {
    plaintext.remove_prefix(from->write(plaintext));
    couple(from, to);
  }
}

}  // namespace

TEST_CASE("TLS engine: two engines shake hands, in whole flights and byte by byte") {
  for (TlsVersions versions : each_version) {
    for (size_t piece : {1UL, 2UL, 5UL, 100UL, 100'000UL}) {
      CAPTURE(piece);
      EngineEnd client(connect(world().client_context(versions)));
      EngineEnd server(accept(world().server_context(versions)));
      CHECK(client->state() == TlsState::handshaking);
      CHECK_FALSE(server->established());
      couple(client, server, piece);
      check_open(client, server, versions);
      CHECK(client->write("question") == 8);
      CHECK(server->write("answer") == 6);
      couple(client, server, piece);
      CHECK(server.received == "question");
      CHECK(client.received == "answer");
    }
  }
}

TEST_CASE("TLS engine: every split of the first flight of either side makes no difference") {
  for (TlsVersions versions : each_version) {
    TlsClientContext clients = world().client_context(versions);
    TlsServerContext servers = world().server_context(versions);
    size_t hello_size = connect(clients)->output().size();
    for (size_t cut = 0; cut <= hello_size; ++cut) {
      EngineEnd client(connect(clients));
      EngineEnd server(accept(servers));
      std::string hello = client.take();
      server.receive(std::string_view(hello).substr(0, cut));
      if (cut < hello.size()) REQUIRE(server->output().empty());
      server.receive(std::string_view(hello).substr(cut));
      std::string flight = server.take();
      // The answer is cut at a place that moves with the first one, over all of its length.
      size_t answer_cut = flight.size() * cut / hello_size;
      client.receive(std::string_view(flight).substr(0, answer_cut));
      client.receive(std::string_view(flight).substr(answer_cut));
      couple(client, server);
      check_open(client, server, versions);
    }
  }
}

TEST_CASE("TLS engine: a client that has to be asked for another key, with a hello in several records, is served") {
  for (size_t piece : {1UL, 100'000UL}) {
    OpensslEnd client(OpensslEnd::Role::client, [](SSL_CTX* context) {
      SSL_CTX_set1_groups_list(context, "X448:P-256");
      SSL_CTX_set_max_send_fragment(context, 512);
      std::string offer;
      for (int i = 0; i < 100; ++i)
        offer +=
            "\x0b"
            "protocol-" +
            std::to_string(10 + i % 90);
      SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(offer.data()), unsigned(offer.size()));
    });
    EngineEnd server(accept(world().server_context(), "protocol-42"));
    client.shake_hands();
    couple(client, server, piece);
    REQUIRE(server->state() == TlsState::open);
    CHECK(server->facts().alpn == "protocol-42");
    CHECK(client.established);
  }
}

TEST_CASE("TLS engine: the protocol that the owner names is selected if the client offers it") {
  for (TlsVersions versions : each_version) {
    auto selected = [versions](std::vector<std::string> offer, const std::string& choice) {
      EngineEnd client(connect(world().client_context(versions), std::move(offer)));
      EngineEnd server(accept(world().server_context(versions), choice));
      couple(client, server);
      REQUIRE(client->state() == TlsState::open);
      CHECK(client->facts().alpn == server->facts().alpn);
      return client->facts().alpn;
    };
    CHECK(selected({"h2", "http/1.1"}, "h2") == "h2");
    CHECK(selected({"h2", "http/1.1"}, "http/1.1") == "http/1.1");
    CHECK(selected({"h2", "http/1.1"}, "").empty());
    CHECK(selected({}, "h2").empty());
    CHECK(selected({}, "").empty());
  }
}

TEST_CASE("TLS engine: a client that offers other protocols alone is told so") {
  for (TlsVersions versions : each_version) {
    EngineEnd client(connect(world().client_context(versions), {"http/1.1"}));
    EngineEnd server(accept(world().server_context(versions), "h2"));
    couple(client, server);
    CHECK(server->state() == TlsState::failed);
    CHECK(server->failure().alert_sent == SSL_AD_NO_APPLICATION_PROTOCOL);
    CHECK(client->state() == TlsState::failed);
    CHECK(client->failure().alert_received == SSL_AD_NO_APPLICATION_PROTOCOL);
    CHECK(client->failure().refusal == TlsRefusal::none);
  }
}

TEST_CASE("TLS engine: a server that selects what was not offered is refused") {
  OpensslEnd server(OpensslEnd::Role::server, [](SSL_CTX* context) {
    presenting(world().leaf)(context);
    auto select = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned, void*) {
      *out = reinterpret_cast<const unsigned char*>("spdy/1");
      *size = 6;
      return SSL_TLSEXT_ERR_OK;
    };
    SSL_CTX_set_alpn_select_cb(context, select, nullptr);
  });
  EngineEnd client(connect(world().client_context(), {"h2", "http/1.1"}));
  couple(client, server);
  CHECK(client->state() == TlsState::failed);
  CHECK(client->write("x") == 0);
}

TEST_CASE("TLS engine: a mebibyte passes in both directions, however little is read at once") {
  std::string question = some_bytes(1 << 20);
  std::string answer = some_bytes((1 << 20) + 1);
  for (TlsVersions versions : each_version) {
    for (size_t window : {7UL, 1000UL, 100'000UL}) {
      EnginePair pair(versions, window);
      send_all(pair.client, pair.server, question);
      send_all(pair.server, pair.client, answer);
      CHECK(pair.server.received == question);
      CHECK(pair.client.received == answer);
    }
  }
}

TEST_CASE("TLS engine: what was not read stays with the owner, and no plaintext is held back") {
  EnginePair pair(only_1_3);
  REQUIRE(pair.client->write("first") == 5);
  size_t one_record = pair.client->output().size();
  REQUIRE(pair.client->write("second") == 6);
  std::string bytes = pair.client.take();
  std::string_view rest = bytes;
  std::array<char, 5> window;
  CHECK(pair.server->read(rest, window) == 5);
  CHECK(std::string_view(window.data(), 5) == "first");
  CHECK(rest.size() == bytes.size() - one_record);
  CHECK(pair.server->read(rest, std::span(window).first(0)) == 0);
  CHECK(rest.size() == bytes.size() - one_record);
  CHECK(pair.server->read(rest, window) == 5);
  CHECK(rest.empty());
  CHECK(pair.server->read(rest, window) == 1);  // the rest of the second record
  CHECK(pair.server->read(rest, window) == 0);
}

TEST_CASE("TLS engine: takes no more than it may hold until its output was sent") {
  EnginePair pair(only_1_3);
  std::string much = some_bytes(1 << 20);
  size_t taken = pair.client->write(much);
  CHECK(taken >= TlsEngine::output_limit - 16 * 1024);
  CHECK(pair.client->output().size() < TlsEngine::output_limit + 17 * 1024);
  CHECK(pair.client->write(std::string_view(much).substr(taken)) == 0);
  pair.client->sent(1);
  CHECK(pair.client->write(std::string_view(much).substr(taken)) == 0);
  pair.client->sent(pair.client->output().size());
  CHECK(pair.client->output().empty());
  CHECK(pair.client->write(std::string_view(much).substr(taken)) > 0);
}

TEST_CASE("TLS engine: its output may be sent in any pieces while more is written") {
  EnginePair pair(only_1_3);
  std::string expected = some_bytes(300'000);
  std::string_view rest = expected;
  for (size_t piece = 1; !rest.empty() || !pair.client->output().empty(); piece = piece * 7 % 5003 + 1) {
    rest.remove_prefix(pair.client->write(rest.substr(0, 3000)));
    std::string part(pair.client->output().substr(0, piece));
    pair.client->sent(part.size());
    pair.server.receive(part);
  }
  CHECK(pair.server.received == expected);
}

TEST_CASE("TLS engine: nothing is written before the handshake is complete") {
  for (TlsVersions versions : each_version) {
    EngineEnd client(connect(world().client_context(versions)));
    EngineEnd server(accept(world().server_context(versions)));
    CHECK(client->write("early") == 0);
    server.receive(client.take());
    CHECK(server->write("early") == 0);
    couple(client, server);
    CHECK(client.received.empty());
    CHECK(server.received.empty());
    CHECK(client->write("now") == 3);
  }
}

TEST_CASE("TLS engine: either side may close first, and the other one can still speak") {
  for (TlsVersions versions : each_version) {
    for (bool client_first : {true, false}) {
      EnginePair pair(versions);
      EngineEnd& first = client_first ? pair.client : pair.server;
      EngineEnd& second = client_first ? pair.server : pair.client;
      REQUIRE(first->write("last words") == 10);
      first->close();
      first->close();
      CHECK(first->write("more") == 0);
      CHECK(first->state() == TlsState::open);
      second.receive(first.take());
      CHECK(second.received == "last words");
      CHECK(second->state() == TlsState::peer_closed);
      CHECK(second->write("an answer") == 9);
      second->close();
      first.receive(second.take());
      CHECK(first.received == "an answer");
      CHECK(first->state() == TlsState::peer_closed);
      first->end_of_input();
      CHECK(first->state() == TlsState::peer_closed);
    }
  }
}

TEST_CASE("TLS engine: an end of the transport without close_notify is a truncation") {
  for (TlsVersions versions : each_version) {
    EnginePair pair(versions, 4);
    REQUIRE(pair.client->write("a part of it") == 12);
    std::string bytes = pair.client.take();
    std::string_view rest = bytes;
    std::array<char, 4> window;
    CHECK(pair.server->read(rest, window) == 4);
    pair.server->end_of_input();
    CHECK(pair.server->state() == TlsState::truncated);
    CHECK(pair.server->failure().reason == "the connection ended without close_notify");
    CHECK(pair.server->failure().refusal == TlsRefusal::none);
    pair.server.receive(rest);  // what had arrived can still be read
    CHECK(pair.server.received == "rt of it");
    CHECK(pair.server->write("answer") == 6);  // TCP ends each direction by itself
    couple(pair.client, pair.server);
    CHECK(pair.client.received == "answer");
  }
}

TEST_CASE("TLS engine: keys may be updated by the peer at any time") {
  for (bool engine_is_client : {true, false}) {
    auto role = engine_is_client ? OpensslEnd::Role::server : OpensslEnd::Role::client;
    OpensslEnd peer(role, presenting(world().leaf));
    EngineEnd engine(engine_is_client ? connect(world().client_context(only_1_3))
                                      : accept(world().server_context(only_1_3)));
    peer.shake_hands();
    couple(peer, engine);
    REQUIRE(peer.established);
    for (int kind : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      engine.received.clear();
      peer.received.clear();
      REQUIRE(SSL_key_update(peer.connection(), kind) == 1);
      peer.write("under new keys");
      couple(peer, engine);
      CHECK(engine.received == "under new keys");
      send_all(engine, peer, "understood");
      CHECK(peer.received == "understood");
      CHECK(engine->state() == TlsState::open);
    }
  }
}

TEST_CASE("TLS engine: half a ticket of the server holds writing up until the other half is there") {
  OpensslEnd server(OpensslEnd::Role::server, [](SSL_CTX* context) {
    presenting(world().leaf)(context);
    SSL_CTX_set_max_send_fragment(context, 512);
    auto enlarge = [](SSL* connection, void*) {
      std::string text(2000, 't');
      return SSL_SESSION_set1_ticket_appdata(SSL_get_session(connection), text.data(), text.size());
    };
    SSL_CTX_set_session_ticket_cb(context, enlarge, nullptr, nullptr);
  });
  EngineEnd client(connect(world().client_context(only_1_3)));
  server.receive(client.take());
  client.receive(server.take());
  REQUIRE(client->state() == TlsState::open);
  server.receive(client.take());
  std::string tickets = server.take();
  REQUIRE(tickets.size() > 2000);
  client.receive(std::string_view(tickets).substr(0, 600));
  CHECK(client->write("question") == 0);
  CHECK(client->state() == TlsState::open);
  client.receive(std::string_view(tickets).substr(600));
  CHECK(client->write("question") == 8);
  couple(client, server);
  CHECK(server.received == "question");
}
