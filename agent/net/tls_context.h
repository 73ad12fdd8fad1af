// What many TLS connections have in common: versions, algorithms, trust, sessions. Immutable and safe to use from
// several threads; engines may outlive the context that they come from.
//
// Nobody renegotiates, compresses, or sends or takes early data (RFC 8446 §2.3): a client that sends such data as a
// guess finds it ignored and sends it again. Sessions of TLS 1.3 are resumed with a new key exchange.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/net/tls_credentials.h"
#include "agent/net/tls_engine.h"
#include "agent/net/tls_roots.h"
#include "agent/net/tls_session_cache.h"
#include "flowengine/instant.h"
#include "flowengine/result.h"

namespace lunar {

struct TlsVersions {
  TlsVersion lowest = TlsVersion::v1_2;
  TlsVersion highest = TlsVersion::v1_3;
};

// For the side that takes connections. Its sessions are tickets, sealed with a key that is made with the context and
// never leaves the process.
class TlsServerContext {
 public:
  [[nodiscard]] static Result<TlsServerContext> create(TlsVersions versions);

  struct Identity {
    std::string name;  // under which the client came; sessions are resumed for this name and this certificate alone
    std::shared_ptr<const TlsCredentials> credentials;  // never null
    std::string alpn;  // the protocol to select; empty: none. A client that offers others alone is refused.
  };
  // An engine that waits for a ClientHello, which may have been looked at before.
  [[nodiscard]] Result<std::unique_ptr<TlsEngine>> accept(const Identity& identity) const;

 private:
  explicit TlsServerContext(OpensslHandle<ssl_ctx_st> context) : context_(std::move(context)) {}

  OpensslHandle<ssl_ctx_st> context_;
};

// For the side that opens connections.
class TlsClientContext {
 public:
  struct Settings {
    TlsRoots roots;
    // Off: a server's certificate is still judged, but its connection is open whatever comes out.
    bool verify = true;
    TlsVersions versions;
    // For servers that ask; shown to none that failed verification. Null: none.
    std::shared_ptr<const TlsCredentials> certificate;
    TlsSessionCache::Limits sessions;
  };
  [[nodiscard]] static Result<TlsClientContext> create(const Settings& settings);

  struct Server {
    std::string host;               // a name, sent as SNI, or an address without brackets; the certificate must have it
    std::vector<std::string> alpn;  // to offer, best first
    // What a session is kept under, beside the host: everything that tells two servers apart that must not be mistaken
    // for each other (port, who is asking).
    std::string session_key;
    WallTime now{};  // that certificates and sessions must be valid at
  };
  // An engine with a ClientHello in its output. Where `verify` is on and the certificate turns out not to be valid, its
  // handshake is completed all the same, so that facts() say why and peer_certificates() what was shown; the state is
  // then `untrusted`, and the engine passes nothing in either direction.
  [[nodiscard]] Result<std::unique_ptr<TlsEngine>> connect(const Server& server) const;

  [[nodiscard]] size_t session_keys() const { return sessions_->keys(); }

 private:
  TlsClientContext(OpensslHandle<ssl_ctx_st> context, const Settings& settings)
      : context_(std::move(context)),
        sessions_(std::make_shared<TlsSessionCache>(settings.sessions)),
        verify_(settings.verify) {}

  OpensslHandle<ssl_ctx_st> context_;
  std::shared_ptr<TlsSessionCache> sessions_;
  bool verify_;
};

}  // namespace lunar
