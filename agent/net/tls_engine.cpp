#include "agent/net/tls_engine.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "agent/base/endpoint.h"
#include "agent/net/openssl_errors.h"
#include "agent/net/tls_session_cache.h"

namespace lunar {
namespace {

TlsEngine& engine_of(const SSL* connection) { return *static_cast<TlsEngine*>(SSL_get_app_data(connection)); }

// By which a peer says that it does not want our certificate (RFC 8446 §6.2; 41 is of SSLv3).
bool refuses_certificate(uint8_t alert) {
  switch (alert) {
    case SSL3_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
      return true;
    default:
      return false;
  }
}

// The name or address that the certificate was compared with.
std::string expected_name(SSL* connection) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(connection);
  if (const char* host = X509_VERIFY_PARAM_get0_host(wanted, 0); host != nullptr) return host;
  char* address = X509_VERIFY_PARAM_get1_ip_asc(wanted);  // in capitals, and with all zeros
  std::optional<IpAddress> parsed = IpAddress::parse(address == nullptr ? "" : address);
  OPENSSL_free(address);
  return parsed ? parsed->text() : "";
}

std::string_view selected_protocol(const SSL* connection) {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(connection, &protocol, &size);
  return {reinterpret_cast<const char*>(protocol), size};
}

std::string der(X509* certificate) {
  int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::string out(static_cast<size_t>(size), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  i2d_X509(certificate, &at);
  return out;
}

}  // namespace

TlsEngine::TlsEngine(OpensslHandle<ssl_st> connection, Setup setup)
    : connection_(std::move(connection)), setup_(std::move(setup)) {}

TlsEngine::~TlsEngine() {
  connection_.reset();
  forget_openssl_errors();
}

void TlsEngine::install(ssl_ctx_st& context) {
  SSL_CTX_set_info_callback(&context, on_progress);
  auto on_protocols = [](SSL* connection, const unsigned char** out, unsigned char* size, const unsigned char* offer,
                         unsigned offer_size,
                         void*) { return engine_of(connection).select_protocol({offer, offer_size}, out, size); };
  SSL_CTX_set_alpn_select_cb(&context, on_protocols, nullptr);
  if (SSL_CTX_get_ssl_method(&context) != TLS_client_method()) return;
  SSL_CTX_set_cert_cb(&context, on_certificate_request, nullptr);
  SSL_CTX_sess_set_new_cb(&context, on_session);
}

Result<std::unique_ptr<TlsEngine>> TlsEngine::create(OpensslHandle<ssl_st> connection, Setup setup) {
  std::unique_ptr<TlsEngine> engine(new TlsEngine(std::move(connection), std::move(setup)));
  SSL* ssl = engine->connection_.get();
  OpensslHandle<bio_st> bio = engine->transport_.open();
  if (!bio || SSL_set_app_data(ssl, engine.get()) != 1)
    return fail("a TLS connection cannot be made: " + take_openssl_reason());
  BIO* both_directions = bio.release();
  SSL_set_bio(ssl, both_directions, both_directions);
  forget_openssl_errors();
  if (SSL_is_server(ssl) == 0) engine->shake_hands();  // the client speaks first
  return engine;
}

size_t TlsEngine::read(std::string_view& from_peer, std::span<char> plaintext) {
  forget_openssl_errors();
  transport_.input = from_peer;
  if (state_ == TlsState::handshaking) shake_hands();
  size_t filled = 0;
  // A truncated connection may still hold plaintext for which there was no room.
  while ((state_ == TlsState::open || state_ == TlsState::truncated) && established_ && filled < plaintext.size()) {
    if (transport_.input.empty() && SSL_has_pending(connection_.get()) == 0) break;
    size_t count = 0;
    int result = SSL_read_ex(connection_.get(), plaintext.data() + filled, plaintext.size() - filled, &count);
    filled += count;
    if (result == 1) continue;
    settle(result);
    break;
  }
  from_peer = std::exchange(transport_.input, {});
  return filled;
}

size_t TlsEngine::write(std::string_view plaintext) {
  if (!established_ || closing_ || state_ == TlsState::untrusted || state_ == TlsState::failed) return 0;
  forget_openssl_errors();
  size_t taken = 0;
  while (taken < plaintext.size() && output().size() < output_limit) {
    std::string_view record = plaintext.substr(taken, SSL3_RT_MAX_PLAIN_LENGTH);
    size_t count = 0;
    int result = SSL_write_ex(connection_.get(), record.data(), record.size(), &count);
    taken += count;
    if (result == 1) continue;
    settle(result);
    break;
  }
  return taken;
}

void TlsEngine::close() {
  bool again = closing_;
  closing_ = true;
  if (again || !established_ || state_ == TlsState::failed) return;
  forget_openssl_errors();
  SSL_shutdown(connection_.get());
  forget_openssl_errors();
}

void TlsEngine::end_of_input() {
  if (state_ != TlsState::handshaking && state_ != TlsState::open) return;
  reason_ = established_ ? "the connection ended without close_notify" : "the connection ended during the handshake";
  state_ = TlsState::truncated;
}

void TlsEngine::shake_hands() {
  int result = SSL_do_handshake(connection_.get());
  if (result == 1)
    complete();
  else
    settle(result);
}

void TlsEngine::complete() {
  SSL* ssl = connection_.get();
  established_ = true;
  state_ = TlsState::open;
  std::string_view selected = selected_protocol(ssl);
  // OpenSSL 3.0 takes any answer; both sides would then speak different protocols.
  if (SSL_is_server(ssl) == 0 && !selected.empty() && !offered(selected))
    return fail_with("the server selected a protocol that was not offered");
  if (setup_.must_verify && !verified()) state_ = TlsState::untrusted;
}

bool TlsEngine::offered(std::string_view protocol) const {
  std::string_view offer = setup_.alpn;
  while (!offer.empty()) {
    size_t size = static_cast<unsigned char>(offer.front());
    if (offer.substr(1, size) == protocol) return true;
    offer.remove_prefix(1 + size);
  }
  return false;
}

// After a call that did not succeed.
void TlsEngine::settle(int result) {
  switch (SSL_get_error(connection_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      if (!established_) reason_ = "the peer closed the connection during the handshake";
      state_ = TlsState::peer_closed;
      return;
    default:
      fail_with(take_openssl_reason());
  }
}

void TlsEngine::fail_with(std::string reason) {
  reason_ = std::move(reason);
  state_ = TlsState::failed;
}

bool TlsEngine::verified() const {
  const SSL* ssl = connection_.get();
  return established_ && SSL_get0_peer_certificate(ssl) != nullptr && SSL_get_verify_result(ssl) == X509_V_OK;
}

TlsFacts TlsEngine::facts() const {
  SSL* ssl = connection_.get();
  TlsFacts out;
  out.version = SSL_version(ssl) >= TLS1_3_VERSION ? TlsVersion::v1_3 : TlsVersion::v1_2;
  if (const char* cipher = SSL_get_cipher_name(ssl); cipher != nullptr) out.cipher = cipher;
  out.alpn = selected_protocol(ssl);
  out.resumed = SSL_session_reused(ssl) == 1;
  if (SSL_is_server(ssl) == 1) return out;
  out.verified = verified();
  if (established_ && !out.verified)
    out.verify_error = expected_name(ssl) + ": " + X509_verify_cert_error_string(SSL_get_verify_result(ssl));
  out.client_certificate_missing = certificate_requested_ && !certificate_shown_;
  return out;
}

TlsFailure TlsEngine::failure() const {
  TlsFailure out{reason_, alert_sent_, alert_received_, TlsRefusal::none};
  if (!certificate_shown_) return out;
  bool ended = state_ == TlsState::truncated || state_ == TlsState::peer_closed;
  if (alert_received_ && refuses_certificate(*alert_received_))
    out.refusal = TlsRefusal::by_alert;
  else if (ended && !established_ && !alert_received_)
    out.refusal = TlsRefusal::by_silence;
  return out;
}

std::vector<std::string> TlsEngine::peer_certificates() const {
  std::vector<std::string> out;
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(connection_.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) out.push_back(der(sk_X509_value(chain, i)));
  return out;
}

void TlsEngine::note_alert(bool received, int alert) {
  auto description = static_cast<uint8_t>(alert & 0xff);
  if (description == SSL_AD_CLOSE_NOTIFY || description == SSL_AD_USER_CANCELLED) return;
  if (received)
    alert_received_ = description;
  else if (alert >> 8 == SSL3_AL_FATAL)
    alert_sent_ = description;
}

void TlsEngine::on_progress(const ssl_st* connection, int where, int value) {
  TlsEngine& engine = engine_of(connection);
  if ((where & SSL_CB_ALERT) != 0) return engine.note_alert((where & SSL_CB_READ) != 0, value);
  // Called before the connection leaves a state.
  if ((where & SSL_CB_LOOP) != 0 && SSL_get_state(connection) == TLS_ST_SW_CERT) engine.certificate_shown_ = true;
}

// RFC 7301 §3.2: a server that cannot speak what the client offers says so.
int TlsEngine::select_protocol(std::span<const unsigned char> offer, const unsigned char** out,
                               unsigned char* size) const {
  if (setup_.alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  while (!offer.empty()) {
    std::span<const unsigned char> protocol = offer.subspan(1, offer.front());
    offer = offer.subspan(1 + protocol.size());
    if (!std::ranges::equal(protocol, setup_.alpn, {}, {}, [](char c) { return static_cast<unsigned char>(c); }))
      continue;
    *out = protocol.data();
    *size = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The server's certificate has been judged by now. Whoever cannot prove its name does not learn ours.
int TlsEngine::on_certificate_request(ssl_st* connection, void* /*unused*/) {
  TlsEngine& engine = engine_of(connection);
  engine.certificate_requested_ = true;
  if (engine.setup_.must_verify && SSL_get_verify_result(connection) != X509_V_OK) SSL_certs_clear(connection);
  engine.certificate_shown_ = SSL_get_certificate(connection) != nullptr;
  return 1;
}

int TlsEngine::on_session(ssl_st* connection, ssl_session_st* session) {
  const Setup& setup = engine_of(connection).setup_;
  bool trusted = !setup.must_verify || SSL_get_verify_result(connection) == X509_V_OK;
  if (setup.sessions && trusted) setup.sessions->put(setup.session_key, *session);
  return 0;  // the reference stays with OpenSSL
}

}  // namespace lunar
