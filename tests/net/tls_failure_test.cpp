#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "agent/net/tls_engine.h"
#include "tests/net/tls_ends.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr TlsVersions each_version[] = {only_1_2, only_1_3};

OpensslEnd::Tune speaking(TlsVersions versions) {
  return [versions](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, static_cast<int>(versions.lowest));
    SSL_CTX_set_max_proto_version(context, static_cast<int>(versions.highest));
  };
}

std::string alert(uint8_t description) {
  return std::string("\x15\x03\x03\x00\x02\x02", 6) + static_cast<char>(description);
}

// A server engine that has shown its certificate.
EngineEnd server_after_its_flight(TlsVersions versions) {
  EngineEnd client(connect(world().client_context(versions)));
  EngineEnd server(accept(world().server_context(versions)));
  server.receive(client.take());
  REQUIRE_FALSE(server.take().empty());
  REQUIRE(server->state() == TlsState::handshaking);
  return server;
}

}  // namespace

TEST_CASE("TLS engine: each alert by which a client refuses our certificate is reported as that") {
  for (TlsVersions versions : each_version) {
    for (uint8_t description : {42, 43, 44, 45, 46, 48, 49, 113}) {
      CAPTURE(description);
      EngineEnd server = server_after_its_flight(versions);
      server.receive(alert(description));
      CHECK(server->state() == TlsState::failed);
      CHECK(server->failure().alert_received == description);
      CHECK(server->failure().refusal == TlsRefusal::by_alert);
    }
    for (uint8_t description : {10, 40, 47, 51, 70, 71, 80}) {
      CAPTURE(description);
      EngineEnd server = server_after_its_flight(versions);
      server.receive(alert(description));
      CHECK(server->state() == TlsState::failed);
      CHECK(server->failure().alert_received == description);
      CHECK(server->failure().refusal == TlsRefusal::none);
    }
  }
}

TEST_CASE("TLS engine: an alert before our certificate was shown does not refuse it") {
  EngineEnd server(accept(world().server_context()));
  server.receive(alert(SSL_AD_UNKNOWN_CA));
  CHECK(server->state() == TlsState::failed);
  CHECK(server->failure().refusal == TlsRefusal::none);
}

TEST_CASE("TLS engine: a client that verifies and does not know our authority refuses our certificate") {
  for (TlsVersions versions : each_version) {
    OpensslEnd client(OpensslEnd::Role::client, [versions](SSL_CTX* context) {
      speaking(versions)(context);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    });
    EngineEnd server(accept(world().server_context(versions)));
    client.shake_hands();
    couple(client, server);
    CHECK(client.failed);
    CHECK(server->state() == TlsState::failed);
    CHECK(server->failure().alert_received == SSL_AD_UNKNOWN_CA);
    CHECK(server->failure().refusal == TlsRefusal::by_alert);
    CHECK(server->failure().reason.find("unknown ca") != std::string::npos);
  }
}

TEST_CASE("TLS engine: a client that ends the connection over our certificate refuses it by silence") {
  for (TlsVersions versions : each_version) {
    EngineEnd gone = server_after_its_flight(versions);
    gone->end_of_input();
    CHECK(gone->state() == TlsState::truncated);
    CHECK_FALSE(gone->established());
    CHECK(gone->failure().refusal == TlsRefusal::by_silence);

    EngineEnd closed = server_after_its_flight(versions);
    closed.receive(std::string("\x15\x03\x03\x00\x02\x01\x00", 7));
    CHECK(closed->state() == TlsState::peer_closed);
    CHECK_FALSE(closed->established());
    CHECK(closed->failure().refusal == TlsRefusal::by_silence);
  }
  EngineEnd before(accept(world().server_context()));
  before->end_of_input();
  CHECK(before->state() == TlsState::truncated);
  CHECK(before->failure().reason == "the connection ended during the handshake");
  CHECK(before->failure().refusal == TlsRefusal::none);
}

TEST_CASE("TLS engine: what is not TLS fails for good, with OpenSSL's reason") {
  auto failure_of = [](std::string_view bytes) {
    EngineEnd server(accept(world().server_context()));
    server.receive(bytes);
    REQUIRE(server->state() == TlsState::failed);
    CHECK(server->write("x") == 0);
    std::string_view more = "more";
    std::array<char, 10> window;
    CHECK(server->read(more, window) == 0);
    CHECK(more == "more");
    server->close();
    return server->failure();
  };
  CHECK(failure_of("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n").reason == "http request");
  CHECK(failure_of(std::string(100, '\x99')).reason == "wrong version number");
  TlsFailure oversized = failure_of(std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'));
  CHECK(oversized.alert_sent == SSL_AD_RECORD_OVERFLOW);
  CHECK(failure_of(std::string("\x17\x03\x03\x00\x05hello", 10)).alert_sent == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE("TLS engine: a client that gets something else than TLS fails too") {
  EngineEnd client(connect(world().client_context()));
  static_cast<void>(client.take());
  client.receive("HTTP/1.1 400 Bad Request\r\n\r\n");
  CHECK(client->state() == TlsState::failed);
  CHECK(client->failure().reason == "wrong version number");
  CHECK(client->failure().refusal == TlsRefusal::none);
}

TEST_CASE("TLS engine: a changed or oversized record ends an open connection") {
  for (TlsVersions versions : each_version) {
    EnginePair pair(versions);
    REQUIRE(pair.client->write("genuine") == 7);
    std::string bytes = pair.client.take();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    pair.server.receive(bytes);
    CHECK(pair.server.received.empty());
    CHECK(pair.server->state() == TlsState::failed);
    CHECK(pair.server->failure().alert_sent == SSL_AD_BAD_RECORD_MAC);
    pair.client.receive(pair.server.take());
    CHECK(pair.client->state() == TlsState::failed);
    CHECK(pair.client->failure().alert_received == SSL_AD_BAD_RECORD_MAC);

    EnginePair other(versions);
    other.server.receive(std::string("\x17\x03\x03\x48\x01", 5) + std::string(0x4801, 'x'));
    CHECK(other.server->state() == TlsState::failed);
    CHECK(other.server->failure().alert_sent == SSL_AD_RECORD_OVERFLOW);
  }
}

TEST_CASE("TLS engine: errors of one connection never reach another one of the same thread") {
  EnginePair good(only_1_3);
  for (int i = 0; i < 3; ++i) {
    EngineEnd bad(accept(world().server_context()));
    bad.receive("neither this nor that");
    CHECK(bad->state() == TlsState::failed);
    CHECK(ERR_peek_error() == 0);
    // Others of the process use OpenSSL, too.
    ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
    REQUIRE(good.client->write("still there") == 11);
    couple(good.client, good.server);
    CHECK(good.server->state() == TlsState::open);
  }
  CHECK(good.server.received == "still therestill therestill there");
}

TEST_CASE("TLS engine: a client that wants to renegotiate is refused, and the connection goes on") {
  OpensslEnd client(OpensslEnd::Role::client, speaking(only_1_2));
  EngineEnd server(accept(world().server_context(only_1_2)));
  client.shake_hands();
  couple(client, server);
  REQUIRE(client.established);
  REQUIRE(SSL_renegotiate(client.connection()) == 1);
  SSL_do_handshake(client.connection());
  server.receive(client.take());
  CHECK(server->state() == TlsState::open);
  CHECK_FALSE(server->failure().alert_sent.has_value());  // a warning
  CHECK(server->write("as before") == 9);
  client.receive(server.take());
  CHECK(client.failed);  // OpenSSL insists
}

TEST_CASE("TLS engine: a server that wants to renegotiate is refused, and the connection goes on") {
  OpensslEnd server(OpensslEnd::Role::server, [](SSL_CTX* context) {
    speaking(only_1_2)(context);
    presenting(world().leaf)(context);
  });
  EngineEnd client(connect(world().client_context(only_1_2)));
  couple(client, server);
  REQUIRE(server.established);
  REQUIRE(SSL_renegotiate(server.connection()) == 1);
  SSL_do_handshake(server.connection());
  client.receive(server.take());
  CHECK(client->state() == TlsState::open);
  REQUIRE(client->write("as before") == 9);
}

TEST_CASE("TLS engine: early data that a client sends with a session of the true server is not taken") {
  SSL_SESSION* session = nullptr;
  {
    OpensslEnd server(OpensslEnd::Role::server, [](SSL_CTX* context) {
      presenting(world().leaf)(context);
      SSL_CTX_set_max_early_data(context, 16384);
    });
    OpensslEnd client(OpensslEnd::Role::client, speaking(only_1_3));
    client.shake_hands();
    couple(client, server);
    server.write("now that the tickets are there");
    couple(client, server);
    session = SSL_SESSION_dup(SSL_get_session(client.connection()));
    REQUIRE(SSL_SESSION_get_max_early_data(session) == 16384);
  }
  OpensslEnd client(OpensslEnd::Role::client, speaking(only_1_3));
  REQUIRE(SSL_set_session(client.connection(), session) == 1);
  SSL_SESSION_free(session);
  size_t written = 0;
  std::string early = "POST /transfer HTTP/1.1\r\n\r\n";
  REQUIRE(SSL_write_early_data(client.connection(), early.data(), early.size(), &written) == 1);
  EngineEnd server(accept(world().server_context()));
  couple(client, server);
  client.shake_hands();
  couple(client, server);
  REQUIRE(server->state() == TlsState::open);
  CHECK(SSL_get_early_data_status(client.connection()) == SSL_EARLY_DATA_REJECTED);
  CHECK(server.received.empty());
  client.write(early);
  couple(client, server);
  CHECK(server.received == early);
}
