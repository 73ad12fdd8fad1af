// What workers share for opening TLS: which connections, how providers are met, what clients are shown, and who does
// not want it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/lunard_config.h"
#include "agent/config/tls_modes.h"
#include "agent/gateway/expiring_set.h"
#include "agent/gateway/leaf_minter.h"
#include "agent/gateway/provider_contexts.h"
#include "agent/net/client_hello.h"

namespace lunar::gateway {

// What became of a connection that tls.intercept names.
enum class TlsOutcome : uint8_t {
  intercepted,
  untrusting_client,    // it is known to refuse our certificates: passed through
  refused,              // it has just refused one
  unsuitable_client,    // its versions or protocols are not ours: passed through
  invalid_certificate,  // of the provider: passed through, so that the client judges
  client_certificate,   // the provider asks for one and none is configured: passed through
  provider_failed,      // no connection, or no handshake: passed through, so that the client sees it
  no_leaf,              // no certificate could be had for it: passed through
  client_failed,        // the client left, or its handshake failed
};
inline constexpr size_t kTlsOutcomes = 9;
[[nodiscard]] std::string_view name_of(TlsOutcome outcome);

// From any thread, unless it says otherwise.
class TlsInterception {
 public:
  // Before the process is confined: reads what is named in the configuration. Null: nothing is intercepted. An error
  // means that nothing can be.
  [[nodiscard]] static Result<std::unique_ptr<TlsInterception>> prepare(const TlsConfig& config,
                                                                        const GatewayConfig& gateway);
  // Before anything is opened; `asking` as for LeafMinter.
  [[nodiscard]] Result<> begin(Fd asking);

  // A program, for which refusals are remembered: its unit, else its executable.
  [[nodiscard]] TlsOutcome judge(const ClientHello& hello, std::string_view host, std::string_view program) const;
  [[nodiscard]] bool names(std::string_view host, uint16_t port, std::string_view unit) const {
    return minter_ != nullptr && modes_.intercepts(host, port, unit);
  }
  void note_refusal(std::string_view host, std::string_view program, std::string_view how);
  // A process has spoken inside an opened connection. One that did so a moment ago and closes another connection in
  // silence refuses nothing: some open more than they need.
  void note_trust(std::string_view host, uint32_t pid);
  [[nodiscard]] bool trusted_lately(std::string_view host, uint32_t pid) const;
  void note(TlsOutcome outcome) { outcomes_[static_cast<size_t>(outcome)].fetch_add(1, std::memory_order_relaxed); }
  // Why a host is passed through: logged once an hour.
  void explain(TlsOutcome outcome, std::string_view host, std::string_view reason);
  [[nodiscard]] std::vector<std::pair<std::string_view, uint64_t>> counts() const;  // by outcome
  [[nodiscard]] nlohmann::json describe() const;  // {"intercepting","outcomes","passed_through"}

  [[nodiscard]] ProviderContexts& providers() { return providers_; }
  [[nodiscard]] const TlsServerContext& clients() const { return clients_; }
  [[nodiscard]] LeafMinter& minter() { return *minter_; }
  [[nodiscard]] std::chrono::milliseconds handshake_timeout() const { return config_.handshake_timeout; }

 private:
  TlsInterception(const TlsConfig& config, TlsModes modes, const GatewayConfig& gateway, TlsServerContext clients);

  const TlsConfig config_;
  const TlsModes modes_;
  ProviderContexts providers_;
  const TlsServerContext clients_;
  std::unique_ptr<LeafMinter> minter_;
  ExpiringSet untrusting_;  // program and host
  ExpiringSet trusting_;    // pid and host
  ExpiringSet explained_;
  std::array<std::atomic<uint64_t>, kTlsOutcomes> outcomes_{};
};

}  // namespace lunar::gateway
