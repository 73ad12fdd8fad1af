#include "agent/net/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "agent/base/endpoint.h"
#include "agent/net/openssl_errors.h"

namespace lunar {
namespace {

constexpr int security_level = 2;  // 112 bits: RSA and DH from 2048, no SHA-1 signatures
constexpr const char* groups = "X25519:P-256:P-384:P-521";
constexpr const char* suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// TLS 1.2: forward secrecy always; CBC last, for clients and providers that have nothing else.
constexpr const char* ciphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!eNULL:!PSK:!SRP";

// Calls that fail for want of memory, or where the library was built without what they ask for.
Result<> require(int result, const char* what) {
  if (result > 0) return {};
  return fail(std::string(what) + " cannot be set up: " + take_openssl_reason());
}

Result<OpensslHandle<ssl_ctx_st>> new_context(const SSL_METHOD* method, TlsVersions versions) {
  forget_openssl_errors();
  OpensslHandle<ssl_ctx_st> out(SSL_CTX_new(method));
  if (!out) return fail("TLS cannot be set up: " + take_openssl_reason());
  SSL_CTX* context = out.get();
  // Whatever openssl.cnf of this machine says.
  SSL_CTX_set_security_level(context, security_level);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_SSLv3);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 0);
  bool usable = SSL_CTX_set_min_proto_version(context, static_cast<int>(versions.lowest)) == 1 &&
                SSL_CTX_set_max_proto_version(context, static_cast<int>(versions.highest)) == 1 &&
                SSL_CTX_set1_groups_list(context, groups) == 1 && SSL_CTX_set_ciphersuites(context, suites) == 1 &&
                SSL_CTX_set_cipher_list(context, ciphers) == 1;
  if (!usable) return fail("TLS cannot be set up: " + take_openssl_reason());
  return out;
}

// A session is bound to these 32 bytes, which a client cannot choose.
Result<> bind_sessions(SSL* connection, const TlsServerContext::Identity& identity) {
  const auto& fingerprint = identity.credentials->fingerprint();
  std::string text(fingerprint.begin(), fingerprint.end());
  text += identity.name;
  std::array<unsigned char, 32> digest;
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return fail("SHA-256 is missing: " + take_openssl_reason());
  return require(SSL_set_session_id_context(connection, digest.data(), digest.size()), "the binding of sessions");
}

// RFC 6066 §3: SNI is a name without a dot at its end, and never an address.
Result<> expect_host(SSL* connection, std::string_view host) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(connection);
  if (std::optional<IpAddress> address = IpAddress::parse(host)) {
    size_t skipped = address->is_v4() ? 12 : 0;
    return require(X509_VERIFY_PARAM_set1_ip(wanted, address->bytes.data() + skipped, 16 - skipped), "the address");
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return fail("a TLS connection needs the name or address of its server");
  // RFC 9110 §4.3.4: the subject's common name is no host name.
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  std::string name(host);
  if (Result<> done = require(X509_VERIFY_PARAM_set1_host(wanted, name.data(), name.size()), "the host name"); !done)
    return done;
  return require(static_cast<int>(SSL_set_tlsext_host_name(connection, name.c_str())), "the server name");
}

Result<std::string> on_the_wire(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) return fail("a protocol's name has 1 to 255 bytes");
    out += static_cast<char>(protocol.size());
    out += protocol;
  }
  return out;
}

Result<> offer_protocols(SSL* connection, const std::string& offer) {
  if (offer.empty()) return {};
  const auto* bytes = reinterpret_cast<const unsigned char*>(offer.data());
  // Unlike its siblings, 0 is success.
  if (SSL_set_alpn_protos(connection, bytes, static_cast<unsigned>(offer.size())) == 0) return {};
  return fail("the protocols cannot be offered: " + take_openssl_reason());
}

}  // namespace

Result<TlsServerContext> TlsServerContext::create(TlsVersions versions) {
  auto context = new_context(TLS_server_method(), versions);
  if (!context) return std::unexpected(std::move(context.error()));
  // Tickets only: nothing is kept here for a client that may never come back.
  SSL_CTX_set_session_cache_mode(context->get(), SSL_SESS_CACHE_OFF);
  TlsEngine::install(**context);
  return TlsServerContext(std::move(*context));
}

Result<std::unique_ptr<TlsEngine>> TlsServerContext::accept(const Identity& identity) const {
  forget_openssl_errors();
  OpensslHandle<ssl_st> connection(SSL_new(context_.get()));
  if (!connection) return fail("a TLS connection cannot be made: " + take_openssl_reason());
  SSL_set_accept_state(connection.get());
  const TlsCredentials& own = *identity.credentials;
  int used = SSL_use_cert_and_key(connection.get(), own.certificate_.get(), own.key_.get(), own.chain_.get(), 1);
  if (Result<> done = require(used, "the certificate"); !done) return std::unexpected(std::move(done.error()));
  if (Result<> done = bind_sessions(connection.get(), identity); !done) return std::unexpected(std::move(done.error()));
  TlsEngine::Setup setup;
  setup.alpn = identity.alpn;
  return TlsEngine::create(std::move(connection), std::move(setup));
}

Result<TlsClientContext> TlsClientContext::create(const Settings& settings) {
  auto context = new_context(TLS_client_method(), settings.versions);
  if (!context) return std::unexpected(std::move(context.error()));
  SSL_CTX* made = context->get();
  if (settings.roots.store_) SSL_CTX_set1_cert_store(made, settings.roots.store_.get());
  // The chain is judged in any case; this says that OpenSSL must not end the handshake over it.
  SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (settings.certificate) {
    const TlsCredentials& own = *settings.certificate;
    int used = SSL_CTX_use_cert_and_key(made, own.certificate_.get(), own.key_.get(), own.chain_.get(), 1);
    if (Result<> done = require(used, "the client certificate"); !done) return std::unexpected(std::move(done.error()));
  }
  TlsEngine::install(*made);
  return TlsClientContext(std::move(*context), settings);
}

Result<std::unique_ptr<TlsEngine>> TlsClientContext::connect(const Server& server) const {
  forget_openssl_errors();
  OpensslHandle<ssl_st> connection(SSL_new(context_.get()));
  if (!connection) return fail("a TLS connection cannot be made: " + take_openssl_reason());
  SSL* made = connection.get();
  SSL_set_connect_state(made);
  if (Result<> done = expect_host(made, server.host); !done) return std::unexpected(std::move(done.error()));
  X509_VERIFY_PARAM_set_time(SSL_get0_param(made), std::chrono::system_clock::to_time_t(server.now));
  auto offer = on_the_wire(server.alpn);
  if (!offer) return std::unexpected(std::move(offer.error()));
  if (Result<> done = offer_protocols(made, *offer); !done) return std::unexpected(std::move(done.error()));
  TlsEngine::Setup setup;
  setup.alpn = std::move(*offer);
  setup.must_verify = verify_;
  setup.sessions = sessions_;
  // A resumed session is not verified again, so it must never be one of another host.
  setup.session_key = server.host + '\n' + server.session_key;
  if (auto session = sessions_->take(setup.session_key, server.now)) SSL_set_session(made, session.get());
  return TlsEngine::create(std::move(connection), std::move(setup));
}

}  // namespace lunar
