// Ownership of what OpenSSL allocates, without its headers: those who include this need not see them.
#pragma once

#include <memory>

struct NAME_CONSTRAINTS_st;
struct bio_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct stack_st_GENERAL_NAME;
struct stack_st_X509;
struct x509_st;
struct x509_store_st;

namespace lunar {

struct OpensslFree {
  void operator()(NAME_CONSTRAINTS_st* constraints) const noexcept;
  void operator()(bio_st* bio) const noexcept;
  void operator()(evp_pkey_st* key) const noexcept;  // wipes a private key
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_session_st* session) const noexcept;
  void operator()(ssl_st* connection) const noexcept;
  void operator()(stack_st_GENERAL_NAME* names) const noexcept;  // with the names in it
  void operator()(stack_st_X509* certificates) const noexcept;   // with the certificates in it
  void operator()(x509_st* certificate) const noexcept;
  void operator()(x509_store_st* store) const noexcept;
};

template <class T>
using OpensslHandle = std::unique_ptr<T, OpensslFree>;

}  // namespace lunar
