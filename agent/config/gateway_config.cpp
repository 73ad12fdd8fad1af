#include "agent/config/gateway_config.h"

#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/config/file_text.h"
#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"
#include "flowengine/uri.h"

namespace lunar {
namespace {

constexpr std::string_view file_name = "gateway_config.yaml";

class ConfigReader {
 public:
  ConfigReader(const std::string& root, LoadedGatewayConfig& out)
      : root_(root), out_(out), reader_(file_name, out.diagnostics) {}

  void read(const Value& document) {
    constexpr std::string_view keys[] = {"allowed_domains", "blocked_domains", "mTLS",
                                         "provider_tls",    "exporters",       "trace_exporter"};
    if (!reader_.map(document)) return;
    reader_.warn_unknown_keys(document, keys);
    read_domain_lists(document);
    each_mapping(document.get("mTLS"), [this](const Value& entry) { read_client_certificate(entry); });
    each_mapping(document.get("provider_tls"), [this](const Value& entry) { read_provider_tls(entry); });
    if (const Value* exporters = document.get("exporters")) read_exporters(*exporters);
    if (const Value* exporter = document.get("trace_exporter")) read_trace_exporter(*exporter);
  }

 private:
  void read_domain_lists(const Value& document) {
    auto allowed = patterns(document.get("allowed_domains"));
    auto blocked = patterns(document.get("blocked_domains"));
    auto lists = DomainLists::create(allowed, blocked);
    if (lists) {
      out_.config.domains = *std::move(lists);
    } else {
      reader_.error(document.at, "bad-regex", lists.error().text);
    }
  }

  // Those that compile; a finding for each that does not.
  std::vector<std::string> patterns(const Value* list) {
    std::vector<std::string> out;
    auto items = list == nullptr ? std::nullopt : reader_.list(*list);
    if (!items) return out;
    for (const Value* item : *items) {
      auto pattern = reader_.string(*item);
      if (!pattern) continue;
      RE2 compiled(*pattern, RE2::Quiet);
      if (compiled.ok()) {
        out.push_back(*std::move(pattern));
      } else {
        reader_.error(item->at, "bad-regex", describe(*item) + ": " + compiled.error());
      }
    }
    return out;
  }

  template <class Read>
  void each_mapping(const Value* list, Read read_entry) {
    if (list == nullptr) return;
    if (list->kind == Value::Kind::map) return read_entry(*list);
    auto items = reader_.list(*list);
    if (!items) return;
    for (const Value* item : *items)
      if (reader_.map(*item)) read_entry(*item);
  }

  std::optional<HostPattern> domain(const Value& entry) {
    const Value* value = required(entry, "domain");
    auto text = value == nullptr ? std::nullopt : reader_.string(*value);
    if (!text) return std::nullopt;
    auto pattern = HostPattern::parse(*text);
    if (!pattern) reader_.error(value->at, "bad-type", describe(*value) + " is neither a host nor *. and a domain");
    return pattern;
  }

  const Value* required(const Value& entry, std::string_view key) {
    const Value* value = entry.get(key);
    if (value == nullptr) reader_.error(entry.at, "bad-type", "`" + std::string(key) + "` is required here");
    return value;
  }

  // The absolute path of a file that can be read.
  std::optional<std::string> file(const Value& value) {
    auto path = reader_.string(value);
    if (!path) return std::nullopt;
    std::string absolute = path->starts_with('/') ? *path : root_ + "/" + *path;
    if (access(absolute.c_str(), R_OK) == 0) return absolute;
    reader_.error(value.at, "file-unusable", absolute + " cannot be read: " + strerror(errno));
    return std::nullopt;
  }

  void read_optional_file(const Value& entry, std::string_view key, std::string& out) {
    const Value* value = entry.get(key);
    auto path = value == nullptr ? std::nullopt : file(*value);
    if (path) out = *std::move(path);
  }

  void read_verify(const Value& entry, bool& verify) {
    const Value* value = entry.get("tls_verify");
    auto wanted = value == nullptr ? std::nullopt : reader_.boolean(*value);
    if (!wanted) return;
    verify = *wanted;
    if (!verify) reader_.warn(value->at, "unverified-tls", "the certificate of this provider is not verified");
  }

  template <class Entries>
  bool is_new(const Entries& entries, const HostPattern& pattern, const Value& entry) {
    bool found = std::ranges::any_of(entries, [&](const auto& other) { return other.domain == pattern; });
    if (found) reader_.error(entry.get("domain")->at, "duplicate-domain", pattern.text() + " is here twice");
    return !found;
  }

  void read_client_certificate(const Value& entry) {
    constexpr std::string_view keys[] = {"domain", "cert", "ca", "tls_verify"};
    reader_.warn_unknown_keys(entry, keys);
    auto pattern = domain(entry);
    const Value* cert_value = required(entry, "cert");
    if (!pattern || cert_value == nullptr) return;
    auto cert = file(*cert_value);
    if (!cert || !is_new(out_.config.client_certificates, *pattern, entry)) return;
    ClientCertificate out{*pattern, *cert, *cert, "", true};
    if (cert->ends_with(".crt")) out.key = cert->substr(0, cert->size() - 4) + ".key";
    if (access(out.key.c_str(), R_OK) != 0)
      return reader_.error(cert_value->at, "file-unusable", out.key + " cannot be read: " + strerror(errno));
    read_optional_file(entry, "ca", out.ca);
    read_verify(entry, out.tls_verify);
    out_.config.client_certificates.push_back(std::move(out));
  }

  void read_provider_tls(const Value& entry) {
    constexpr std::string_view keys[] = {"domain", "tls_verify", "ca", "min_version"};
    constexpr std::string_view versions[] = {"1.2", "1.3"};
    reader_.warn_unknown_keys(entry, keys);
    auto pattern = domain(entry);
    if (!pattern || !is_new(out_.config.provider_tls, *pattern, entry)) return;
    ProviderTls out{*pattern, true, "", ProviderTls::Version::tls12};
    read_optional_file(entry, "ca", out.ca);
    read_verify(entry, out.tls_verify);
    if (const Value* value = entry.get("min_version")) {
      auto found = std::ranges::find(versions, value->text);
      if (found == std::end(versions))
        return reader_.error(value->at, "out-of-range", describe(*value) + " is not one of 1.2, 1.3");
      out.min_version = static_cast<ProviderTls::Version>(found - versions);
    }
    out_.config.provider_tls.push_back(std::move(out));
  }

  void read_exporters(const Value& exporters) {
    constexpr std::string_view keys[] = {"file", "cloud", "s3_minio"};
    if (!reader_.map(exporters)) return;
    reader_.warn_unknown_keys(exporters, keys);
    if (const Value* value = exporters.get("file"); value != nullptr && reader_.map(*value)) read_file_exporter(*value);
    for (std::string_view name : {"cloud", "s3_minio"}) {
      const Entry* entry = exporters.find(name);
      if (entry == nullptr || exporters.get(name) == nullptr || !reader_.map(entry->value)) continue;
      const Value* id = entry->value.get("exporter_id");
      auto text = id == nullptr ? std::optional(std::string(name)) : reader_.string(*id);
      reader_.warn(entry->key_at, "exporter-unsupported", "`" + entry->key + "` is read but exports nothing");
      if (text) out_.config.unsupported_exporters.push_back(*std::move(text));
    }
  }

  void read_file_exporter(const Value& exporter) {
    constexpr std::string_view keys[] = {"exporter_id", "file_dir", "file_name", "max_size_mb", "max_files"};
    FileExporter& out = out_.config.file_exporter;
    reader_.warn_unknown_keys(exporter, keys);
    auto read_text = [&](std::string_view key, std::string& member) {
      const Value* value = exporter.get(key);
      auto text = value == nullptr ? std::nullopt : reader_.string(*value);
      if (text) member = *std::move(text);
    };
    auto read_count = [&](std::string_view key, uint32_t& member) {
      const Value* value = exporter.get(key);
      auto count = value == nullptr ? std::nullopt : reader_.integer(*value, {1, UINT32_MAX});
      if (count) member = static_cast<uint32_t>(*count);
    };
    read_text("exporter_id", out.id);
    read_text("file_dir", out.dir);
    read_text("file_name", out.name);
    read_count("max_size_mb", out.max_size_mb);
    read_count("max_files", out.max_files);
    if (access(out.dir.c_str(), W_OK) != 0)
      reader_.warn(exporter.at, "file-unusable", out.dir + " cannot be written: " + strerror(errno));
  }

  void read_trace_exporter(const Value& exporter) {
    constexpr std::string_view keys[] = {"trace_exporter_id", "traces_endpoint"};
    if (!reader_.map(exporter)) return;
    reader_.warn_unknown_keys(exporter, keys);
    const Value* id = required(exporter, "trace_exporter_id");
    const Value* endpoint = required(exporter, "traces_endpoint");
    if (id == nullptr || endpoint == nullptr) return;
    auto id_text = reader_.string(*id);
    auto url = reader_.string(*endpoint);
    if (!id_text || !url) return;
    if (url->find("://") == std::string::npos) *url = "http://" + *url + "/v1/traces";
    auto target = parse_absolute_target(*url);
    if (!target) return reader_.error(endpoint->at, "bad-url", describe(*endpoint) + " is neither a URL nor host:port");
    if (target->port() == 4317)
      reader_.warn(endpoint->at, "bad-url", "port 4317 is that of gRPC; traces go over HTTP (4318)");
    out_.config.trace_exporter = TraceExporter{*id_text, *url};
  }

  const std::string& root_;
  LoadedGatewayConfig& out_;
  Reader reader_;
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

LoadedGatewayConfig read_gateway_config(std::string_view text, const std::string& root) {
  LoadedGatewayConfig out;
  auto document = read_document(file_name, text, out.diagnostics);
  if (document && document->kind != Value::Kind::null) ConfigReader(root, out).read(*document);
  return out;
}

LoadedGatewayConfig load_gateway_config(const std::string& root) {
  auto text = read_file_text(root + "/" + std::string(file_name));
  if (text) return read_gateway_config(text->value_or(""), root);
  LoadedGatewayConfig out;
  out.diagnostics.add({std::string(file_name), {}, Severity::error, "file-unusable", text.error().text});
  return out;
}

}  // namespace lunar
