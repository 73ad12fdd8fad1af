// The two ends of a TLS connection in tests, coupled in memory: an engine with what its owner does, and OpenSSL without
// anything of ours, which can do what an engine refuses to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/openssl_handles.h"
#include "agent/net/tls_context.h"
#include "agent/net/tls_engine.h"
#include "tests/net/certificates.h"

namespace lunar::test {

class EngineEnd {
 public:
  explicit EngineEnd(std::unique_ptr<TlsEngine> engine, size_t window = 16 * 1024);

  TlsEngine* operator->() const { return engine_.get(); }
  TlsEngine& operator*() const { return *engine_; }

  void receive(std::string_view bytes);  // reads all plaintext that can be had, `window` bytes at a time
  [[nodiscard]] std::string take();      // what is to be sent

  std::string received;

 private:
  std::unique_ptr<TlsEngine> engine_;
  std::vector<char> window_;
};

class OpensslEnd {
 public:
  enum class Role : uint8_t { client, server };
  using Tune = std::function<void(ssl_ctx_st*)>;

  OpensslEnd(Role role, const Tune& tune);

  [[nodiscard]] ssl_st* connection() const { return connection_.get(); }
  void receive(std::string_view bytes);  // handshake, then plaintext
  [[nodiscard]] std::string take();
  void write(std::string_view plaintext);
  void shake_hands();

  std::string received;
  bool established = false;
  bool closed = false;  // close_notify was seen
  bool failed = false;

 private:
  void settle(int result);

  OpensslHandle<ssl_ctx_st> context_;
  OpensslHandle<ssl_st> connection_;
};

// Carries bytes until both are silent, at most `piece` at a time.
template <class A, class B>
void couple(A& a, B& b, size_t piece = 1 << 20) {
  auto carry = [piece](auto& from, auto& to) {
    std::string bytes = from.take();
    for (size_t at = 0; at < bytes.size(); at += piece) to.receive(std::string_view(bytes).substr(at, piece));
    return !bytes.empty();
  };
  bool moved = true;
  while (moved) {
    moved = carry(a, b);
    moved = carry(b, a) || moved;
  }
}

// An authority, a certificate of api.example.com by it, and contexts that go with them.
struct TlsWorld {
  Issued authority;
  Issued leaf;
  std::shared_ptr<const TlsCredentials> credentials;
  TlsRoots roots;  // the authority alone

  TlsWorld();

  [[nodiscard]] TlsServerContext server_context(TlsVersions versions = {}) const;
  [[nodiscard]] TlsClientContext client_context(TlsVersions versions = {}) const;
};

[[nodiscard]] const TlsWorld& world();

// For a server without anything of ours; `issued` outlives it.
[[nodiscard]] OpensslEnd::Tune presenting(const Issued& issued);

// The authorities in these certificates and no others.
[[nodiscard]] TlsRoots roots_of(const std::vector<const Issued*>& authorities);

[[nodiscard]] std::unique_ptr<TlsEngine> accept(const TlsServerContext& context, const std::string& alpn = "");
[[nodiscard]] std::unique_ptr<TlsEngine> connect(const TlsClientContext& context, std::vector<std::string> alpn = {});

inline constexpr TlsVersions only_1_2{TlsVersion::v1_2, TlsVersion::v1_2};
inline constexpr TlsVersions only_1_3{TlsVersion::v1_3, TlsVersion::v1_3};

// Both ends, after the handshake.
struct EnginePair {
  EngineEnd client;
  EngineEnd server;

  explicit EnginePair(TlsVersions versions, size_t window = 16 * 1024);
};

}  // namespace lunar::test
