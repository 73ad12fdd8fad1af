#include "agent/net/openssl_handles.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace lunar {

void OpensslFree::operator()(NAME_CONSTRAINTS_st* constraints) const noexcept { NAME_CONSTRAINTS_free(constraints); }
void OpensslFree::operator()(bio_st* bio) const noexcept { BIO_free(bio); }
void OpensslFree::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }
void OpensslFree::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void OpensslFree::operator()(ssl_session_st* session) const noexcept { SSL_SESSION_free(session); }
void OpensslFree::operator()(ssl_st* connection) const noexcept { SSL_free(connection); }
void OpensslFree::operator()(stack_st_GENERAL_NAME* names) const noexcept { GENERAL_NAMES_free(names); }
void OpensslFree::operator()(stack_st_X509* certificates) const noexcept { sk_X509_pop_free(certificates, X509_free); }
void OpensslFree::operator()(x509_st* certificate) const noexcept { X509_free(certificate); }
void OpensslFree::operator()(x509_store_st* store) const noexcept { X509_STORE_free(store); }

}  // namespace lunar
