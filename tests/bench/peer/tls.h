// TLS of the generator and the origin, by OpenSSL on sockets. Version, key exchange and cipher suite are always the
// same (1.3, X25519, AES-128-GCM), so that no gateway works with others than its neighbour.
#pragma once

#include <cstdint>
#include <string>

#include "agent/net/openssl_handles.h"

struct x509_store_ctx_st;

namespace lunar::bench {

struct TlsIdentity {
  std::string file;  // PEM: a certificate and its key
};

struct TlsTrust {
  std::string authority;  // PEM file
  std::string host;       // that servers are asked for and must have a certificate of
};

struct Handshakes {
  uint64_t all = 0;
  uint64_t resumed = 0;  // of these
};

// What all connections of one side have in common. The constructors throw std::runtime_error if a file is of no use.
class TlsContext {
 public:
  explicit TlsContext(const TlsIdentity& own);        // of the side that takes connections
  explicit TlsContext(const TlsTrust& expectations);  // of the side that opens them: it never resumes a session
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A connection over this socket, which stays the caller's. Not to be used after the context's end.
  [[nodiscard]] OpensslHandle<ssl_st> over(int socket) const;
  [[nodiscard]] Handshakes handshakes() const { return handshakes_; }  // that were completed

 private:
  void count_handshakes();
  static int judge(x509_store_ctx_st* chain, void* context);

  std::string host_;  // empty: it takes connections
  OpensslHandle<ssl_ctx_st> context_;
  OpensslHandle<x509_st> proven_;  // the certificate that was found valid last
  Handshakes handshakes_;
};

}  // namespace lunar::bench
