#include "agent/config/gateway_config.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/config/file_text.h"

namespace lunar {
namespace {

// Files and folders that a specification names, as this process sees them.
class Resolver {
 public:
  Resolver(const std::string& root, LoadedGatewayConfig& out) : root_(root), out_(out) {}

  void resolve(const GatewaySpec& spec) {
    auto lists = DomainLists::create(spec.allowed_domains, spec.blocked_domains);
    if (lists) {
      out_.config.domains = *std::move(lists);
    } else {
      add({1, 1}, Severity::error, "bad-regex", lists.error().text);
    }
    for (const ClientCertificateSpec& one : spec.client_certificates) resolve_certificate(one);
    for (const ProviderTlsSpec& one : spec.provider_tls) {
      out_.config.provider_tls.push_back(
          {one.domain, one.tls_verify, one.ca ? file(*one.ca) : "", one.min_version, one.fault});
    }
    FileExporter exporter = spec.file_exporter;
    exporter.dir = absolute(exporter.dir);
    if (exporter.at.line != 0 && access(exporter.dir.c_str(), W_OK) != 0)
      add(exporter.at, Severity::warning, "file-unusable", exporter.dir + " cannot be written: " + strerror(errno));
    out_.config.file_exporter = std::move(exporter);
    out_.config.unsupported_exporters = spec.unsupported_exporters;
    out_.config.trace_exporter = spec.trace_exporter;
  }

 private:
  void add(Position at, Severity severity, std::string_view id, std::string text) {
    out_.diagnostics.add({std::string(gateway_config_name), at, severity, std::string(id), std::move(text)});
  }

  [[nodiscard]] std::string absolute(const std::string& path) const {
    return path.starts_with('/') ? path : root_ + "/" + path;
  }

  bool check_readable(const std::string& path, Position at) {
    if (access(path.c_str(), R_OK) == 0) return true;
    add(at, Severity::error, "file-unusable", path + " cannot be read: " + strerror(errno));
    return false;
  }

  // Its absolute path, also where it cannot be read.
  std::string file(const NamedFile& named) {
    std::string path = absolute(named.path);
    check_readable(path, named.at);
    return path;
  }

  void resolve_certificate(const ClientCertificateSpec& spec) {
    ClientCertificate out{.domain = spec.domain, .tls_verify = spec.tls_verify, .fault = spec.fault};
    if (spec.cert) read_certificate_files(*spec.cert, out);
    if (spec.ca) out.ca = file(*spec.ca);
    out_.config.client_certificates.push_back(std::move(out));
  }

  void read_certificate_files(const NamedFile& cert, ClientCertificate& out) {
    constexpr std::string_view separate = ".crt";
    out.cert = out.key = absolute(cert.path);
    const bool found = check_readable(out.cert, cert.at);
    if (!out.cert.ends_with(separate)) return;
    out.key.replace(out.key.size() - separate.size(), separate.size(), ".key");
    if (found) check_readable(out.key, cert.at);
  }

  const std::string& root_;
  LoadedGatewayConfig& out_;
};

// The exact entry wins; among wildcards the longest.
template <class Entry>
const Entry* best_match(const std::vector<Entry>& entries, std::string_view host) {
  const Entry* best = nullptr;
  for (const Entry& entry : entries) {
    if (!entry.domain.matches(host)) continue;
    if (entry.domain.exact()) return &entry;
    if (best == nullptr || entry.domain.text().size() > best->domain.text().size()) best = &entry;
  }
  return best;
}

}  // namespace

const ProviderTls* GatewayConfig::tls_for(std::string_view host) const { return best_match(provider_tls, host); }

const ClientCertificate* GatewayConfig::certificate_for(std::string_view host) const {
  return best_match(client_certificates, host);
}

LoadedGatewayConfig resolve_gateway_config(const GatewaySpec& spec, const std::string& root) {
  LoadedGatewayConfig out;
  Resolver(root, out).resolve(spec);
  return out;
}

LoadedGatewayConfig read_gateway_config(std::string_view text, const std::string& root) {
  Diagnostics findings;
  const GatewaySpec spec = read_gateway_spec(text, findings);
  LoadedGatewayConfig out = resolve_gateway_config(spec, root);
  for (const Diagnostic& one : out.diagnostics.list()) findings.add(one);
  out.diagnostics = std::move(findings);
  return out;
}

LoadedGatewayConfig load_gateway_config(const std::string& root) {
  auto text = read_file_text(root + "/" + std::string(gateway_config_name));
  if (text) return read_gateway_config(text->value_or(""), root);
  LoadedGatewayConfig out;
  out.diagnostics.add({std::string(gateway_config_name), {}, Severity::error, "file-unusable", text.error().text});
  return out;
}

}  // namespace lunar
