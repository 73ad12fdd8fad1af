#include "agent/net/tls_context.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "agent/net/client_hello.h"
#include "tests/config/temporary_dir.h"
#include "tests/net/tls_ends.h"

using namespace lunar;
using namespace lunar::test;

namespace {

constexpr TlsVersions each_version[] = {only_1_2, only_1_3};
constexpr auto day = std::chrono::hours(24);

struct Judgement {
  TlsState state = TlsState::failed;
  bool verified = false;
  std::string error;
};

// What a client that wants `host` thinks of a server that presents `issued`.
Judgement judge(const TlsClientContext& context, const std::string& host, const Issued& issued,
                std::chrono::sys_seconds when = now(), const std::vector<std::string>& chain = {}) {
  auto clients = context.connect({host, {}, "443", when});
  REQUIRE(clients);
  auto servers = world().server_context().accept({host, issued.credentials(chain), ""});
  REQUIRE(servers);
  EngineEnd client(std::move(*clients));
  EngineEnd server(std::move(*servers));
  couple(client, server);
  REQUIRE(client->established());
  CHECK(client->facts().verified == client->verified());
  CHECK(client->peer_certificates().at(0) == issued.der());
  return {client->state(), client->verified(), client->facts().verify_error};
}

Judgement judge(const std::string& host, const Issued& issued, std::chrono::sys_seconds when = now()) {
  return judge(world().client_context(), host, issued, when);
}

void check_valid(const Judgement& judgement) {
  CHECK(judgement.state == TlsState::open);
  CHECK(judgement.verified);
  CHECK(judgement.error.empty());
}

void check_untrusted(const Judgement& judgement, std::string_view error) {
  CHECK(judgement.state == TlsState::untrusted);
  CHECK_FALSE(judgement.verified);
  CHECK(judgement.error == error);
}

Issued with_names(const std::string& names) {
  return issue({.common_name = "cn.example.com", .alternative_names = names}, &world().authority);
}

TlsClientContext client_context(const TlsClientContext::Settings& settings) {
  auto out = TlsClientContext::create(settings);
  REQUIRE(out);
  return std::move(*out);
}

std::string sni_of(const std::string& host) {
  auto engine = world().client_context().connect({host, {"h2"}, "", now()});
  REQUIRE(engine);
  ClientHello hello;
  REQUIRE(parse_client_hello((*engine)->output(), hello) == HelloState::complete);
  CHECK(hello.alpn == std::vector<std::string>{"h2"});
  return hello.sni;
}

// A server that wants a client certificate, of whatever authority, unless it has to be one of TLS 1.2.
OpensslEnd::Tune asking(const Issued& issued, TlsVersions versions) {
  return [&issued, versions](SSL_CTX* context) {
    presenting(issued)(context);
    SSL_CTX_set_max_proto_version(context, static_cast<int>(versions.highest));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  };
}

std::string error_of(const auto& result) {
  REQUIRE_FALSE(result);
  return result.error().text;
}

}  // namespace

TEST_CASE("TLS client: a certificate of a known authority for the host is valid") {
  for (TlsVersions versions : each_version)
    check_valid(judge(world().client_context(versions), "www.example.com", world().leaf));
  check_valid(judge("API.example.com", world().leaf));
  check_valid(judge("api.example.com.", world().leaf));
}

TEST_CASE("TLS client: a certificate of another host is not, and the reason names the host") {
  for (TlsVersions versions : each_version)
    check_untrusted(judge(world().client_context(versions), "evil.example.com", world().leaf),
                    "evil.example.com: hostname mismatch");
}

TEST_CASE("TLS client: a certificate is valid in its time alone") {
  Issued leaf =
      issue({.common_name = "x", .alternative_names = "DNS:api.example.com", .begins = -day / 2, .ends = day / 2},
            &world().authority);
  check_valid(judge("api.example.com", leaf));
  check_valid(judge("api.example.com", leaf, now() + day / 2 - std::chrono::seconds(1)));
  check_untrusted(judge("api.example.com", leaf, now() + day / 2), "api.example.com: certificate has expired");
  check_valid(judge("api.example.com", leaf, now() - day / 2));
  check_untrusted(judge("api.example.com", leaf, now() - day / 2 - std::chrono::seconds(1)),
                  "api.example.com: certificate is not yet valid");
}

TEST_CASE("TLS client: who signed it must be known") {
  Issued alone = issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, nullptr);
  check_untrusted(judge("api.example.com", alone), "api.example.com: self-signed certificate");
  Issued stranger = issue({.common_name = "Somebody", .authority = true}, nullptr);
  Issued of_stranger = issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, &stranger);
  check_untrusted(judge("api.example.com", of_stranger), "api.example.com: unable to get local issuer certificate");
  check_untrusted(judge(world().client_context(), "api.example.com", of_stranger, now(), {stranger.der()}),
                  "api.example.com: self-signed certificate in certificate chain");
}

TEST_CASE("TLS client: authorities in between are taken from the server, and are among the facts") {
  Issued between = issue({.common_name = "In between", .authority = true}, &world().authority);
  Issued leaf = issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, &between);
  check_untrusted(judge("api.example.com", leaf), "api.example.com: unable to get local issuer certificate");
  check_valid(judge(world().client_context(), "api.example.com", leaf, now(), {between.der()}));

  auto made = world().server_context().accept({"", leaf.credentials({between.der()}), ""});
  REQUIRE(made);
  EngineEnd server(std::move(*made));
  EngineEnd client(connect(world().client_context()));
  CHECK(client->peer_certificates().empty());
  couple(client, server);
  CHECK(client->peer_certificates() == std::vector{leaf.der(), between.der()});
  CHECK(server->peer_certificates().empty());
  CHECK_FALSE(server->verified());
}

TEST_CASE("TLS client: a file of authorities may hold a server's own certificate") {
  Issued alone = issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, nullptr);
  TlsClientContext::Settings settings;
  settings.roots = roots_of({&alone, &world().authority});
  check_valid(judge(client_context(settings), "api.example.com", alone));
  check_valid(judge(client_context(settings), "api.example.com", world().leaf));
}

TEST_CASE("TLS client: the common name is no host name") {
  check_untrusted(judge("cn.example.com", with_names("")), "cn.example.com: hostname mismatch");
  check_untrusted(judge("cn.example.com", with_names("DNS:a.example.com")), "cn.example.com: hostname mismatch");
}

TEST_CASE("TLS client: a wildcard is one whole label") {
  Issued leaf = with_names("DNS:*.example.com");
  check_valid(judge("a.example.com", leaf));
  check_untrusted(judge("a.b.example.com", leaf), "a.b.example.com: hostname mismatch");
  check_untrusted(judge("example.com", leaf), "example.com: hostname mismatch");
  check_untrusted(judge("abc.example.com", with_names("DNS:a*.example.com")), "abc.example.com: hostname mismatch");
}

TEST_CASE("TLS client: an address is compared with addresses alone") {
  check_valid(judge("198.18.0.1", with_names("IP:198.18.0.1")));
  check_valid(judge("2001:db8::1", with_names("IP:2001:db8::1")));
  check_untrusted(judge("198.18.0.2", with_names("IP:198.18.0.1")), "198.18.0.2: IP address mismatch");
  check_untrusted(judge("2001:db8::2", with_names("IP:2001:db8::1")), "2001:db8::2: IP address mismatch");
  check_untrusted(judge("198.18.0.1", with_names("DNS:198.18.0.1")), "198.18.0.1: IP address mismatch");
}

TEST_CASE("TLS client: the name is sent as SNI, and an address never is") {
  CHECK(sni_of("api.example.com") == "api.example.com");
  CHECK(sni_of("api.example.com.") == "api.example.com");
  CHECK(sni_of("198.18.0.1").empty());
  CHECK(sni_of("2001:db8::1").empty());
  CHECK(error_of(world().client_context().connect({"", {}, "", now()})) ==
        "a TLS connection needs the name or address of its server");
  CHECK(error_of(world().client_context().connect({"a.example.com", {""}, "", now()})) ==
        "a protocol's name has 1 to 255 bytes");
}

TEST_CASE("TLS client: nothing passes on a connection that was not verified, but everything is known about it") {
  for (TlsVersions versions : each_version) {
    Issued leaf = with_names("DNS:other.example.com");
    auto made = world().server_context(versions).accept({"", leaf.credentials(), "h2"});
    REQUIRE(made);
    EngineEnd server(std::move(*made));
    EngineEnd client(connect(world().client_context(versions), {"h2"}));
    couple(client, server);
    REQUIRE(client->state() == TlsState::untrusted);
    CHECK(client->facts().alpn == "h2");
    CHECK(client->facts().version == versions.highest);
    CHECK(client->write("secret") == 0);
    REQUIRE(server->write("lies") == 4);
    client.receive(server.take());
    CHECK(client.received.empty());
    client->end_of_input();
    CHECK(client->state() == TlsState::untrusted);
    CHECK(client->write("secret") == 0);
    client->close();
    server.receive(client.take());
    CHECK(server.received.empty());
    CHECK(server->state() == TlsState::peer_closed);
  }
}

TEST_CASE("TLS client: without verification the connection is open, and the judgement is a fact all the same") {
  TlsClientContext::Settings settings;
  settings.verify = false;
  Judgement judgement = judge(client_context(settings), "api.example.com", world().leaf);
  CHECK(judgement.state == TlsState::open);
  CHECK_FALSE(judgement.verified);
  CHECK(judgement.error == "api.example.com: unable to get local issuer certificate");
}

TEST_CASE("TLS contexts: a version below the lowest one is refused by either side") {
  EngineEnd strict_client(connect(world().client_context(only_1_3)));
  EngineEnd old_server(accept(world().server_context(only_1_2)));
  couple(strict_client, old_server);
  CHECK(strict_client->state() == TlsState::failed);
  CHECK(old_server->failure().alert_sent == SSL_AD_PROTOCOL_VERSION);
  EngineEnd old_client(connect(world().client_context(only_1_2)));
  EngineEnd strict_server(accept(world().server_context(only_1_3)));
  couple(old_client, strict_server);
  CHECK(strict_server->state() == TlsState::failed);
  CHECK(old_client->failure().alert_received == SSL_AD_PROTOCOL_VERSION);
  OpensslEnd ancient(OpensslEnd::Role::client, [](SSL_CTX* context) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
  });
  EngineEnd server(accept(world().server_context()));
  ancient.shake_hands();
  couple(ancient, server);
  CHECK(server->failure().alert_sent == SSL_AD_PROTOCOL_VERSION);
}

TEST_CASE("TLS client: a server that asks for a certificate gets an empty answer where there is none") {
  for (TlsVersions versions : each_version) {
    OpensslEnd server(OpensslEnd::Role::server, asking(world().leaf, versions));
    EngineEnd client(connect(world().client_context()));
    couple(client, server);
    REQUIRE(client->state() == TlsState::open);
    CHECK(client->facts().client_certificate_missing);
    CHECK(server.established);
    CHECK(SSL_get0_peer_certificate(server.connection()) == nullptr);

    OpensslEnd insisting(OpensslEnd::Role::server, [versions](SSL_CTX* context) {
      asking(world().leaf, versions)(context);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    });
    EngineEnd refused(connect(world().client_context()));
    couple(refused, insisting);
    CHECK(refused->state() == TlsState::failed);
    CHECK(refused->facts().client_certificate_missing);
    CHECK(refused->failure().refusal == TlsRefusal::none);
  }
}

TEST_CASE("TLS client: a server that asks for a certificate is shown ours, unless it is not who it should be") {
  Issued mine = issue({.common_name = "our client"}, &world().authority);
  Issued other = with_names("DNS:other.example.com");
  TlsClientContext::Settings settings;
  settings.roots = world().roots;
  settings.certificate = mine.credentials();
  TlsClientContext clients = client_context(settings);
  for (TlsVersions versions : each_version) {
    OpensslEnd server(OpensslEnd::Role::server, asking(world().leaf, versions));
    EngineEnd client(connect(clients));
    couple(client, server);
    REQUIRE(client->state() == TlsState::open);
    CHECK_FALSE(client->facts().client_certificate_missing);
    REQUIRE(SSL_get0_peer_certificate(server.connection()) != nullptr);
    CHECK(X509_cmp(SSL_get0_peer_certificate(server.connection()), mine.certificate.get()) == 0);

    OpensslEnd impostor(OpensslEnd::Role::server, asking(other, versions));
    EngineEnd careful(connect(clients));
    couple(careful, impostor);
    CHECK(careful->state() == TlsState::untrusted);
    CHECK(SSL_get0_peer_certificate(impostor.connection()) == nullptr);
  }
}

TEST_CASE("TLS client: a server that refuses our certificate after the handshake is told apart") {
  TlsClientContext::Settings settings;
  settings.roots = world().roots;
  settings.certificate = issue({.common_name = "our client"}, &world().authority).credentials();
  for (TlsVersions versions : each_version) {
    OpensslEnd server(OpensslEnd::Role::server, [versions](SSL_CTX* context) {
      asking(world().leaf, versions)(context);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);  // it knows no authority
    });
    EngineEnd client(connect(client_context(settings)));
    couple(client, server);
    CHECK(client->established() == (versions.highest == TlsVersion::v1_3));
    CHECK(client->state() == TlsState::failed);
    CHECK(client->failure().alert_received == SSL_AD_UNKNOWN_CA);
    CHECK(client->failure().refusal == TlsRefusal::by_alert);
  }
}

TEST_CASE("TLS credentials: a key in the file of the certificate, or beside it") {
  TemporaryDir directory;
  Issued between = issue({.common_name = "In between", .authority = true}, &world().authority);
  Issued leaf = issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, &between);
  std::string chain = leaf.certificate_pem() + between.certificate_pem();
  std::string together = directory.write("one.pem", chain + leaf.key_pem());
  std::string apart = directory.write("two.crt", chain);
  directory.write("two.key", leaf.key_pem());
  for (const std::string& path : {together, apart}) {
    auto credentials = TlsCredentials::from_files(path);
    REQUIRE(credentials);
    CHECK((*credentials)->fingerprint() == leaf.credentials()->fingerprint());
    auto made = world().server_context().accept({"", *credentials, ""});
    REQUIRE(made);
    EngineEnd server(std::move(*made));
    EngineEnd client(connect(world().client_context()));
    couple(client, server);
    CHECK(client->verified());  // which needs the one in between
  }
}

TEST_CASE("TLS credentials: what is wrong with a file is said, with its path and the way out") {
  TemporaryDir directory;
  const Issued& leaf = world().leaf;
  std::string missing = directory.path() + "/missing.pem";
  CHECK(error_of(TlsCredentials::from_files(missing)) ==
        missing + ": cannot be opened: No such file or directory; put the file there, or correct the path");
  std::string lonely = directory.write("lonely.crt", leaf.certificate_pem());
  CHECK(error_of(TlsCredentials::from_files(lonely)).starts_with(directory.path() + "/lonely.key: cannot be opened"));
  std::string keyless = directory.write("keyless.pem", leaf.certificate_pem());
  CHECK(error_of(TlsCredentials::from_files(keyless)).starts_with(keyless + ": holds no private key"));
  std::string bare = directory.write("bare.pem", leaf.key_pem());
  CHECK(error_of(TlsCredentials::from_files(bare)).starts_with(bare + ": holds no certificate; expected PEM"));
  std::string broken = directory.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  CHECK(error_of(TlsCredentials::from_files(broken)).starts_with(broken + ": certificate 1 is malformed: "));
  std::string swapped = directory.write("swapped.pem", leaf.certificate_pem() + world().authority.key_pem());
  CHECK(error_of(TlsCredentials::from_files(swapped))
            .starts_with(swapped + ": the private key is not that of the certificate"));
  std::string locked = directory.write("locked.pem", leaf.certificate_pem() + leaf.key_pem("a passphrase"));
  CHECK(error_of(TlsCredentials::from_files(locked)).starts_with(locked + ": the private key has a passphrase; "));
  std::string empty = directory.write("empty.pem", "");
  CHECK(error_of(TlsCredentials::from_files(empty)) == empty + ": is empty");
  CHECK(error_of(TlsCredentials::from_files(directory.path())).find("regular files") != std::string::npos);
}

TEST_CASE("TLS credentials: a key of another certificate, and bytes that are none, are errors") {
  const Issued& leaf = world().leaf;
  CHECK(error_of(TlsCredentials::from_der(leaf.der(), {}, *world().authority.key))
            .starts_with("the private key is not that of the certificate"));
  CHECK(error_of(TlsCredentials::from_der("nonsense", {}, *leaf.key)).starts_with("a certificate is malformed"));
  CHECK(error_of(TlsCredentials::from_der(leaf.der() + "x", {}, *leaf.key)) ==
        "a certificate is followed by other bytes");
  std::vector<std::string> chain{"nonsense"};
  CHECK(error_of(TlsCredentials::from_der(leaf.der(), chain, *leaf.key)).starts_with("a certificate is malformed"));
}

TEST_CASE("TLS roots: those of the machine, a file beside them, or what is wrong with it") {
  TemporaryDir directory;
  std::string file = directory.write("own.pem", world().authority.certificate_pem());
  auto both = TlsRoots::load(true, file);
  REQUIRE(both);
  TlsClientContext::Settings settings;
  settings.roots = *both;
  check_valid(judge(client_context(settings), "api.example.com", world().leaf));
  settings.roots = *TlsRoots::load(true, "");
  check_untrusted(judge(client_context(settings), "api.example.com", world().leaf),
                  "api.example.com: unable to get local issuer certificate");
  std::string missing = directory.path() + "/none.pem";
  CHECK(error_of(TlsRoots::load(true, missing)).starts_with(missing + ": cannot be opened"));
  std::string text = directory.write("notes.txt", "no certificate at all\n");
  CHECK(error_of(TlsRoots::load(false, text)).starts_with(text + ": holds no certificate"));
}

TEST_CASE("TLS roots: SSL_CERT_FILE and SSL_CERT_DIR name those of the machine") {
  TemporaryDir directory;
  std::string file = directory.write("certs/own.pem", world().authority.certificate_pem());
  directory.write("certs/README", "no certificate");
  auto judged_with = [](const std::string& certificates, const std::string& folder) {
    setenv("SSL_CERT_FILE", certificates.c_str(), 1);
    setenv("SSL_CERT_DIR", folder.c_str(), 1);
    auto roots = TlsRoots::load(true, "");
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    return roots;
  };
  for (const auto& roots :
       {judged_with(file, "/nonexistent"), judged_with("/nonexistent", directory.path() + "/certs")}) {
    REQUIRE(roots);
    TlsClientContext::Settings settings;
    settings.roots = *roots;
    check_valid(judge(client_context(settings), "api.example.com", world().leaf));
  }
  CHECK(
      error_of(judged_with("/nonexistent", "/nonexistent")) ==
      "no authorities of this machine: /nonexistent: cannot be opened: No such file or directory; put the file there, "
      "or correct the path, and none in /nonexistent; install ca-certificates");
}
