// gateway_config.yaml as it was written (gateway.md §4): checked for everything but the files that it names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/diagnostic.h"
#include "flowengine/spec/host_pattern.h"
#include "flowengine/spec/lowest_tls.h"

namespace lunar {

struct NamedFile {
  std::string path;  // as written; relative ones start at the configuration root
  Position at;
};

// An entry of mTLS or provider_tls with an error is kept with its `fault`, the finding as it is printed; without it the
// hosts that it names would be met by defaults.

struct ClientCertificateSpec {  // mTLS[]
  HostPattern domain;
  std::optional<NamedFile> cert;  // nothing: a fault
  std::optional<NamedFile> ca;
  bool tls_verify = true;
  std::string fault;
};

struct ProviderTlsSpec {  // provider_tls[]
  HostPattern domain;
  bool tls_verify = true;
  std::optional<NamedFile> ca;
  LowestTls min_version = LowestTls::tls12;
  std::string fault;
};

struct FileExporter {
  std::string id = "file", dir = "/var/log/lunar", name = "har.ndjson";
  uint32_t max_size_mb = 10, max_files = 3;
  Position at;  // of the mapping; line 0: it is not there
};

struct TraceExporter {
  std::string id, endpoint;  // endpoint as URL
};

struct GatewaySpec {
  std::vector<std::string> allowed_domains, blocked_domains;  // regular expressions that compile
  std::vector<ClientCertificateSpec> client_certificates;
  std::vector<ProviderTlsSpec> provider_tls;
  FileExporter file_exporter;
  std::vector<std::string> unsupported_exporters;  // ids that a HARCollector must not name
  std::optional<TraceExporter> trace_exporter;
};

inline constexpr std::string_view gateway_config_name = "gateway_config.yaml";

[[nodiscard]] GatewaySpec read_gateway_spec(std::string_view text, Diagnostics& out);

}  // namespace lunar
