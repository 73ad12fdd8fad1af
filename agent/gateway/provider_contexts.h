// How the gateway meets each provider whose TLS it opens: what gateway_config.yaml says of the host in provider_tls[]
// and mTLS[], as TLS contexts.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/config/gateway_config.h"
#include "agent/net/tls_context.h"

namespace lunar::gateway {

class ProviderContexts {
 public:
  // Reads every file that is named, because later the process may not be able to. What cannot be used is an error for
  // the hosts that it is for, not for others. `session_keys`: providers whose sessions each context keeps.
  ProviderContexts(GatewayConfig config, size_t session_keys);
  ProviderContexts(const ProviderContexts&) = delete;
  ProviderContexts& operator=(const ProviderContexts&) = delete;

  // From any thread; made at the first use, and kept.
  [[nodiscard]] Result<std::shared_ptr<const TlsClientContext>> for_host(std::string_view host);

 private:
  using Rule = std::pair<const ProviderTls*, const ClientCertificate*>;  // both may be null

  [[nodiscard]] Result<std::shared_ptr<const TlsClientContext>> make(const Rule& rule) const;
  [[nodiscard]] const Result<TlsRoots>& roots_for(const Rule& rule) const;

  const GatewayConfig config_;
  const size_t session_keys_;
  std::map<std::string, Result<TlsRoots>> roots_;  // by file; the empty name: the system's
  std::map<std::string, Result<std::shared_ptr<const TlsCredentials>>> certificates_;
  std::mutex mutex_;
  std::map<Rule, Result<std::shared_ptr<const TlsClientContext>>> contexts_;
};

}  // namespace lunar::gateway
