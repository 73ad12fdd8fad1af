#include "tests/net/tls_ends.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "tests/config/temporary_dir.h"

namespace lunar::test {

EngineEnd::EngineEnd(std::unique_ptr<TlsEngine> engine, size_t window) : engine_(std::move(engine)), window_(window) {}

void EngineEnd::receive(std::string_view bytes) {
  size_t count = window_.size();
  while (count == window_.size()) {
    count = engine_->read(bytes, window_);
    received.append(window_.data(), count);
  }
  bool goes_on = engine_->state() == TlsState::handshaking || engine_->state() == TlsState::open;
  if (goes_on && !bytes.empty()) FAIL("an engine that goes on left bytes unread");
  if (ERR_peek_error() != 0) FAIL("an engine left an error in the queue of its thread");
}

std::string EngineEnd::take() {
  std::string out(engine_->output());
  engine_->sent(out.size());
  return out;
}

OpensslEnd::OpensslEnd(Role role, const Tune& tune) {
  context_.reset(SSL_CTX_new(role == Role::server ? TLS_server_method() : TLS_client_method()));
  tune(context_.get());
  connection_.reset(SSL_new(context_.get()));
  SSL_set_bio(connection(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  role == Role::server ? SSL_set_accept_state(connection()) : SSL_set_connect_state(connection());
}

void OpensslEnd::receive(std::string_view bytes) {
  BIO_write(SSL_get_rbio(connection()), bytes.data(), static_cast<int>(bytes.size()));
  if (!established) shake_hands();
  std::array<char, 16384> part;
  for (int count = 1; established && count > 0;) {
    ERR_clear_error();
    count = SSL_read(connection(), part.data(), part.size());
    if (count > 0) received.append(part.data(), static_cast<size_t>(count));
    settle(count);
  }
  ERR_clear_error();
}

void OpensslEnd::shake_hands() {
  ERR_clear_error();
  int result = SSL_do_handshake(connection());
  established = result == 1;
  settle(result);
  ERR_clear_error();
}

void OpensslEnd::settle(int result) {
  int error = SSL_get_error(connection(), result);
  closed = closed || error == SSL_ERROR_ZERO_RETURN;
  failed = failed || error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
}

std::string OpensslEnd::take() {
  char* bytes = nullptr;
  BIO* bio = SSL_get_wbio(connection());
  long size = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, static_cast<size_t>(size));
  static_cast<void>(BIO_reset(bio));
  return out;
}

void OpensslEnd::write(std::string_view plaintext) {
  REQUIRE(SSL_write(connection(), plaintext.data(), static_cast<int>(plaintext.size())) > 0);
}

TlsWorld::TlsWorld()
    : authority(issue({.common_name = "Authority of the tests", .authority = true}, nullptr)),
      leaf(issue({.common_name = "api", .alternative_names = "DNS:api.example.com, DNS:www.example.com"}, &authority)),
      credentials(leaf.credentials()),
      roots(roots_of({&authority})) {}

const TlsWorld& world() {
  static const TlsWorld one;
  return one;
}

TlsRoots roots_of(const std::vector<const Issued*>& authorities) {
  TemporaryDir directory;
  std::string text;
  for (const Issued* authority : authorities) text += authority->certificate_pem();
  auto out = TlsRoots::load(false, directory.write("roots.pem", text));
  REQUIRE(out);
  return *out;
}

TlsServerContext TlsWorld::server_context(TlsVersions versions) const {
  auto out = TlsServerContext::create(versions);
  REQUIRE(out);
  return std::move(*out);
}

TlsClientContext TlsWorld::client_context(TlsVersions versions) const {
  TlsClientContext::Settings settings;
  settings.roots = roots;
  settings.versions = versions;
  auto out = TlsClientContext::create(settings);
  REQUIRE(out);
  return std::move(*out);
}

OpensslEnd::Tune presenting(const Issued& issued) {
  return [&issued](SSL_CTX* context) {
    REQUIRE(SSL_CTX_use_certificate(context, issued.certificate.get()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(context, issued.key.get()) == 1);
  };
}

std::unique_ptr<TlsEngine> accept(const TlsServerContext& context, const std::string& alpn) {
  auto out = context.accept({"api.example.com", world().credentials, alpn});
  REQUIRE(out);
  return std::move(*out);
}

std::unique_ptr<TlsEngine> connect(const TlsClientContext& context, std::vector<std::string> alpn) {
  auto out = context.connect({"api.example.com", std::move(alpn), "443", now()});
  REQUIRE(out);
  return std::move(*out);
}

EnginePair::EnginePair(TlsVersions versions, size_t window)
    : client(connect(world().client_context(versions)), window),
      server(accept(world().server_context(versions)), window) {
  couple(client, server);
  REQUIRE(client->state() == TlsState::open);
  REQUIRE(server->state() == TlsState::open);
}

}  // namespace lunar::test
