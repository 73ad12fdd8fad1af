#include "tests/bench/peer/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <stdexcept>

namespace lunar::bench {

namespace {

constexpr std::array<unsigned char, 9> kProtocols{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

void require(bool done, const std::string& what) {
  if (done) return;
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  throw std::runtime_error(what + ": " + (reason == nullptr ? "no reason is known" : reason));
}

OpensslHandle<ssl_ctx_st> new_context(const SSL_METHOD* method) {
  OpensslHandle<ssl_ctx_st> out(SSL_CTX_new(method));
  SSL_CTX* made = out.get();
  require(made != nullptr && SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(made, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_ciphersuites(made, "TLS_AES_128_GCM_SHA256") == 1 &&
              SSL_CTX_set1_groups_list(made, "X25519") == 1,
          "TLS cannot be set up");
  SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(made, 1);                          // one system call a record, not two
  SSL_CTX_set_options(made, SSL_OP_IGNORE_UNEXPECTED_EOF);  // lengths say whether an answer was whole
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  return out;
}

}  // namespace

TlsContext::TlsContext(const TlsIdentity& own) : context_(new_context(TLS_server_method())) {
  SSL_CTX* context = context_.get();
  const char* file = own.file.c_str();
  require(SSL_CTX_use_certificate_chain_file(context, file) == 1 &&
              SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1,
          "the certificate and key in " + own.file);
  auto select = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offer,
                   unsigned offer_size, void*) {
    int found = SSL_select_next_proto(const_cast<unsigned char**>(out), size, kProtocols.data(), kProtocols.size(),
                                      offer, offer_size);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  };
  SSL_CTX_set_alpn_select_cb(context, select, nullptr);
  count_handshakes();
}

TlsContext::TlsContext(const TlsTrust& expectations)
    : host_(expectations.host), context_(new_context(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  require(SSL_CTX_load_verify_locations(context, expectations.authority.c_str(), nullptr) == 1,
          "the authority in " + expectations.authority);
  require(X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), host_.data(), host_.size()) == 1, "the host's name");
  require(SSL_CTX_set_alpn_protos(context, kProtocols.data(), kProtocols.size()) == 0, "the protocol's name");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, judge, this);
  count_handshakes();
}

OpensslHandle<ssl_st> TlsContext::over(int socket) const {
  OpensslHandle<ssl_st> out(SSL_new(context_.get()));
  SSL* made = out.get();
  require(made != nullptr && SSL_set_fd(made, socket) == 1, "a TLS connection cannot be made");
  if (host_.empty()) {
    SSL_set_accept_state(made);
  } else {
    SSL_set_connect_state(made);
    require(SSL_set_tlsext_host_name(made, host_.c_str()) == 1, "the host's name cannot be sent");
  }
  return out;
}

// OpenSSL's own statistics count a resumption when it begins.
void TlsContext::count_handshakes() {
  SSL_CTX_set_app_data(context_.get(), this);
  SSL_CTX_set_info_callback(context_.get(), [](const SSL* connection, int where, int /*value*/) {
    if ((where & SSL_CB_HANDSHAKE_DONE) == 0) return;
    auto& self = *static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
    ++self.handshakes_.all;
    if (SSL_session_reused(connection) == 1) ++self.handshakes_.resumed;
  });
}

// The gateway waits for what the generator computes, so one certificate is judged once.
int TlsContext::judge(x509_store_ctx_st* chain, void* context) {
  TlsContext& self = *static_cast<TlsContext*>(context);
  X509* shown = X509_STORE_CTX_get0_cert(chain);
  if (self.proven_ != nullptr && X509_cmp(self.proven_.get(), shown) == 0) {
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }
  if (X509_verify_cert(chain) != 1) return 0;
  X509_up_ref(shown);
  self.proven_.reset(shown);
  return 1;
}

}  // namespace lunar::bench
