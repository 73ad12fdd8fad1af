// gateway_config.yaml as values (gateway.md §4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/domain_lists.h"
#include "flowengine/compile/gateway_spec.h"
#include "flowengine/diagnostic.h"

namespace lunar {

// An entry with a fault is kept, and so is one whose files cannot be read: its hosts are not met by defaults instead.

struct ClientCertificate {  // mTLS[]: presented to the provider `domain`
  HostPattern domain;
  std::string cert;  // absolute path: .pem with both, or .crt with the .key beside it
  std::string key;   // absolute path; equal to cert for a .pem
  std::string ca;    // empty: system roots
  bool tls_verify = true;
  std::string fault;  // why the entry cannot be used; empty: it can
};

struct ProviderTls {  // provider_tls[]
  HostPattern domain;
  bool tls_verify = true;
  std::string ca;
  LowestTls min_version = LowestTls::tls12;
  std::string fault;
};

struct GatewayConfig {
  DomainLists domains;
  std::vector<ClientCertificate> client_certificates;
  std::vector<ProviderTls> provider_tls;
  FileExporter file_exporter;
  std::vector<std::string> unsupported_exporters;  // ids that a HARCollector must not name
  std::optional<TraceExporter> trace_exporter;

  // The entry for a host: the exact one wins.
  [[nodiscard]] const ProviderTls* tls_for(std::string_view host) const;
  [[nodiscard]] const ClientCertificate* certificate_for(std::string_view host) const;
};

struct LoadedGatewayConfig {
  GatewayConfig config;
  Diagnostics diagnostics;
};

// What the specification names: relative paths start at `root`, and files are checked for being readable.
[[nodiscard]] LoadedGatewayConfig resolve_gateway_config(const GatewaySpec& spec, const std::string& root);
// `root` is the configuration root, from which relative paths start; named files are checked for being readable.
[[nodiscard]] LoadedGatewayConfig read_gateway_config(std::string_view text, const std::string& root);
// The file gateway_config.yaml below `root`; a missing file is an empty one.
[[nodiscard]] LoadedGatewayConfig load_gateway_config(const std::string& root);

}  // namespace lunar
