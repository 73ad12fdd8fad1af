#include "agent/net/tls_session_cache.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <thread>

#include "agent/net/tls_context.h"
#include "tests/net/tls_ends.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr TlsVersions each_version[] = {only_1_2, only_1_3};

struct Visit {
  std::string host = "api.example.com";
  std::string session_key = "443";
  std::chrono::sys_seconds when = now();
  std::shared_ptr<const TlsCredentials> credentials = world().credentials;
  std::string server_name = "api.example.com";
};

// A connection from beginning to end, which ends without close_notify as most do; whether it was a resumed one.
bool resumed(const TlsClientContext& clients, const TlsServerContext& servers, const Visit& visit = {}) {
  auto opened = clients.connect({visit.host, {}, visit.session_key, visit.when});
  auto accepted = servers.accept({visit.server_name, visit.credentials, ""});
  REQUIRE(opened);
  REQUIRE(accepted);
  EngineEnd client(std::move(*opened));
  EngineEnd server(std::move(*accepted));
  CHECK_FALSE(client->verified());  // also where it offers a session that was
  couple(client, server);
  REQUIRE(client->established());
  REQUIRE(server->established());
  CHECK(client->facts().resumed == server->facts().resumed);
  if (client->facts().resumed) {
    CHECK(client->verified());
    CHECK(client->peer_certificates().at(0) == world().leaf.der());
  }
  CHECK(server->write("hello") == 5);
  couple(client, server);
  return client->facts().resumed;
}

TlsClientContext with_limits(TlsSessionCache::Limits limits) {
  TlsClientContext::Settings settings;
  settings.roots = world().roots;
  settings.sessions = limits;
  auto out = TlsClientContext::create(settings);
  REQUIRE(out);
  return std::move(*out);
}

}  // namespace

TEST_CASE("TLS sessions: a second connection to a server resumes the first one") {
  for (TlsVersions versions : each_version) {
    TlsClientContext clients = world().client_context(versions);
    TlsServerContext servers = world().server_context(versions);
    CHECK_FALSE(resumed(clients, servers));
    for (int i = 0; i < 5; ++i) CHECK(resumed(clients, servers));
    CHECK(clients.session_keys() == 1);
  }
}

TEST_CASE("TLS sessions: none is resumed for another name, port or context") {
  for (TlsVersions versions : each_version) {
    TlsClientContext clients = world().client_context(versions);
    TlsServerContext servers = world().server_context(versions);
    CHECK_FALSE(resumed(clients, servers));
    CHECK_FALSE(resumed(clients, servers, {.host = "www.example.com"}));
    CHECK_FALSE(resumed(clients, servers, {.session_key = "8443"}));
    CHECK_FALSE(resumed(world().client_context(versions), servers));
    CHECK_FALSE(resumed(clients, world().server_context(versions)));  // which has a key of its own
    CHECK(clients.session_keys() == 3);
  }
}

TEST_CASE("TLS sessions: a server takes none that began under another name or with another certificate") {
  Issued renewed = issue({.common_name = "api", .alternative_names = "DNS:api.example.com, DNS:www.example.com"},
                         &world().authority);
  for (TlsVersions versions : each_version) {
    TlsClientContext clients = world().client_context(versions);
    TlsServerContext servers = world().server_context(versions);
    CHECK_FALSE(resumed(clients, servers));
    CHECK_FALSE(resumed(clients, servers, {.server_name = "www.example.com"}));
    CHECK(resumed(clients, servers, {.server_name = "www.example.com"}));
    CHECK_FALSE(resumed(clients, servers, {.credentials = renewed.credentials()}));
  }
}

TEST_CASE("TLS sessions: one of TLS 1.3 is used once") {
  TlsClientContext clients = world().client_context(only_1_3);
  TlsServerContext servers = world().server_context(only_1_3);
  CHECK_FALSE(resumed(clients, servers));  // brings two tickets
  std::vector<std::unique_ptr<TlsEngine>> under_way;
  for (bool offers : {true, true, false}) {
    CHECK(clients.session_keys() == (offers ? 1 : 0));
    auto opened = clients.connect({"api.example.com", {}, "443", now()});
    REQUIRE(opened);
    under_way.push_back(std::move(*opened));
  }
  CHECK_FALSE(resumed(clients, servers));
}

TEST_CASE("TLS sessions: one is kept for its time") {
  using std::chrono::seconds;
  for (TlsVersions versions : each_version) {
    TlsClientContext::Settings settings;
    settings.roots = world().roots;
    settings.versions = versions;
    settings.sessions.lifetime = seconds(100);
    auto clients = TlsClientContext::create(settings);
    REQUIRE(clients);
    TlsServerContext servers = world().server_context(versions);
    CHECK_FALSE(resumed(*clients, servers));
    CHECK(resumed(*clients, servers, {.when = now() + seconds(99)}));
    CHECK_FALSE(resumed(*clients, servers, {.when = now() + seconds(400)}));
  }
}

TEST_CASE("TLS sessions: the least recently used key makes room") {
  TlsClientContext clients = with_limits({.keys = 2});
  TlsServerContext servers = world().server_context();
  CHECK_FALSE(resumed(clients, servers, {.session_key = "1"}));
  CHECK_FALSE(resumed(clients, servers, {.session_key = "2"}));
  CHECK(resumed(clients, servers, {.session_key = "1"}));
  CHECK_FALSE(resumed(clients, servers, {.session_key = "3"}));  // in place of 2
  CHECK(clients.session_keys() == 2);
  CHECK(resumed(clients, servers, {.session_key = "1"}));
  CHECK_FALSE(resumed(clients, servers, {.session_key = "2"}));
}

TEST_CASE("TLS sessions: those of all keys together have a limit, too") {
  TlsClientContext clients = with_limits({.keys = 2, .average_per_key = 1});
  TlsServerContext servers = world().server_context(only_1_3);  // gives two at a time
  CHECK_FALSE(resumed(clients, servers, {.session_key = "1"}));
  CHECK_FALSE(resumed(clients, servers, {.session_key = "2"}));
  CHECK(clients.session_keys() == 1);
  CHECK(resumed(clients, servers, {.session_key = "2"}));
  CHECK_FALSE(resumed(clients, servers, {.session_key = "1"}));
}

TEST_CASE("TLS sessions: no more are kept than allowed, also none at all") {
  TlsServerContext servers = world().server_context(only_1_3);
  TlsClientContext one = with_limits({.sessions_per_key = 1});
  CHECK_FALSE(resumed(one, servers));
  static_cast<void>(connect(one));
  CHECK(one.session_keys() == 0);
  TlsClientContext none = with_limits({.keys = 0});
  CHECK_FALSE(resumed(none, servers));
  CHECK_FALSE(resumed(none, servers));
}

TEST_CASE("TLS sessions: what was not verified is not kept") {
  for (TlsVersions versions : each_version) {
    TlsClientContext clients = world().client_context(versions);
    TlsServerContext servers = world().server_context(versions);
    CHECK_FALSE(resumed(clients, servers, {.host = "evil.example.com"}));
    CHECK(clients.session_keys() == 0);
  }
}

TEST_CASE("TLS sessions: threads share contexts and sessions") {
  TlsClientContext clients = world().client_context();
  TlsServerContext servers = world().server_context();
  CHECK_FALSE(resumed(clients, servers));
  auto work = [&] {
    for (int i = 0; i < 20; ++i) {
      EngineEnd client(connect(clients));
      EngineEnd server(accept(servers));
      couple(client, server);
      if (!client->verified()) return false;
    }
    return true;
  };
  bool other_done = false;
  std::thread other([&] { other_done = work(); });
  bool done = work();
  other.join();
  CHECK(done);
  CHECK(other_done);
  CHECK(clients.session_keys() == 1);
}
