#include "flowengine/compile/gateway_spec.h"

#include <algorithm>
#include <span>
#include <utility>

#include "flowengine/expr/regex.h"
#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"
#include "flowengine/uri.h"

namespace lunar {
namespace {

class SpecReader {
 public:
  SpecReader(GatewaySpec& out, Diagnostics& findings)
      : out_(out), findings_(findings), reader_(gateway_config_name, findings) {}

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
    out_.allowed_domains = patterns(document.get("allowed_domains"));
    out_.blocked_domains = patterns(document.get("blocked_domains"));
  }

  // Those that compile; a finding for each that does not.
  std::vector<std::string> patterns(const Value* list) {
    std::vector<std::string> out;
    auto items = list == nullptr ? std::nullopt : reader_.list(*list);
    if (!items) return out;
    for (const Value* item : *items) {
      auto pattern = reader_.string(*item);
      if (!pattern) continue;
      auto compiled = Regex::compile(*pattern);
      if (compiled) {
        out.push_back(*std::move(pattern));
      } else {
        reader_.error(item->at, "bad-regex", describe(*item) + ": " + compiled.error().text);
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

  std::optional<NamedFile> file(const Value* value) {
    auto path = value == nullptr ? std::nullopt : reader_.string(*value);
    return path ? std::optional(NamedFile{*std::move(path), value->at}) : std::nullopt;
  }

  void read_verify(const Value& entry, bool& verify) {
    const Value* value = entry.get("tls_verify");
    auto wanted = value == nullptr ? std::nullopt : reader_.boolean(*value);
    if (!wanted) return;
    verify = *wanted;
    if (!verify) reader_.warn(value->at, "unverified-tls", "the certificate of this provider is not verified");
  }

  // The first error among the findings from `begin` on; empty: there is none.
  [[nodiscard]] std::string fault_since(size_t begin) const {
    const auto added = std::span(findings_.list()).subspan(begin);
    const auto found = std::ranges::find(added, Severity::error, &Diagnostic::severity);
    return found == added.end() ? "" : found->print();
  }

  // Which of two entries for one domain is meant, nobody can tell: the fault is of both.
  template <class Spec>
  void keep(std::vector<Spec>& entries, Spec read, const Value& entry, size_t findings_before) {
    const auto other = std::ranges::find(entries, read.domain, &Spec::domain);
    const bool twice = other != entries.end();
    if (twice) reader_.error(entry.get("domain")->at, "duplicate-domain", read.domain.text() + " is here twice");
    Spec& kept = twice ? *other : entries.emplace_back(std::move(read));
    if (kept.fault.empty()) kept.fault = fault_since(findings_before);
  }

  void read_client_certificate(const Value& entry) {
    constexpr std::string_view keys[] = {"domain", "cert", "ca", "tls_verify"};
    const size_t before = findings_.list().size();
    reader_.warn_unknown_keys(entry, keys);
    auto pattern = domain(entry);
    auto cert = file(required(entry, "cert"));
    if (!pattern) return;
    ClientCertificateSpec out{.domain = *pattern, .cert = std::move(cert), .ca = file(entry.get("ca"))};
    read_verify(entry, out.tls_verify);
    keep(out_.client_certificates, std::move(out), entry, before);
  }

  void read_provider_tls(const Value& entry) {
    constexpr std::string_view keys[] = {"domain", "tls_verify", "ca", "min_version"};
    constexpr std::string_view versions[] = {"1.2", "1.3"};
    const size_t before = findings_.list().size();
    reader_.warn_unknown_keys(entry, keys);
    auto pattern = domain(entry);
    if (!pattern) return;
    ProviderTlsSpec out{.domain = *pattern, .ca = file(entry.get("ca"))};
    read_verify(entry, out.tls_verify);
    if (const Value* value = entry.get("min_version")) {
      auto found = std::ranges::find(versions, value->text);
      if (found == std::end(versions)) {
        reader_.error(value->at, "out-of-range", describe(*value) + " is not one of 1.2, 1.3");
      } else {
        out.min_version = static_cast<LowestTls>(found - versions);
      }
    }
    keep(out_.provider_tls, std::move(out), entry, before);
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
      if (text) out_.unsupported_exporters.push_back(*std::move(text));
    }
  }

  void read_file_exporter(const Value& exporter) {
    constexpr std::string_view keys[] = {"exporter_id", "file_dir", "file_name", "max_size_mb", "max_files"};
    FileExporter& out = out_.file_exporter;
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
    out.at = exporter.at;
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
    out_.trace_exporter = TraceExporter{*id_text, *url};
  }

  GatewaySpec& out_;
  const Diagnostics& findings_;  // those of reader_ among others
  Reader reader_;
};

}  // namespace

GatewaySpec read_gateway_spec(std::string_view text, Diagnostics& findings) {
  GatewaySpec out;
  auto document = read_document(gateway_config_name, text, findings);
  if (document && document->kind != Value::Kind::null) SpecReader(out, findings).read(*document);
  return out;
}

}  // namespace lunar
