#include "flowengine/explain/schema.h"

#include <array>

#include "flowengine/explain/schema_flow.h"
#include "flowengine/explain/schema_parts.h"

namespace lunar {
namespace {

using namespace schema;

constexpr std::array<std::string_view, 5> kind_names{"flow", "quota", "path_params", "metrics", "gateway_config"};

Json path_params_file() {
  return mapping(
      {{"path_params", list(mapping({{"url", word("host/path with {name}")}}, {"url"}, ""), "known shapes of URLs")}},
      {}, "");
}

Json metric(std::span<const std::string_view> names, bool with_buckets) {
  Json out = mapping({{"name", choice(names, "")}, {"description", text("for people")}}, {"name"}, "");
  if (with_buckets) out["properties"]["buckets"] = list(Json{{"type", "number"}}, "ascending bounds, in milliseconds");
  return out;
}

Json metrics_file() {
  constexpr std::string_view labels[] = {"http_method",  "url",  "host", "status_code",
                                         "consumer_tag", "comm", "unit", "container"};
  constexpr std::string_view general[] = {"api_call_count", "api_call_size", "transaction_duration",
                                          "provider_transaction_duration"};
  constexpr std::string_view system[] = {"active_flows",
                                         "flow_invocations",
                                         "requests_through_flows",
                                         "avg_flow_execution_time",
                                         "avg_processor_execution_time",
                                         "processor_invocation"};
  const Json general_metrics = mapping({{"label_value", list(choice(labels, ""), "labels of the general metrics")},
                                        {"metric_value", list(metric(general, true), "which ones")}},
                                       {}, "metrics of calls");
  return mapping({{"general_metrics", general_metrics},
                  {"system_metrics", list(metric(system, false), "metrics of flows")},
                  {"labeled_endpoints", list(word(""), "host/path/{param}, values of the label `path`")}},
                 {}, "");
}

Json exporters() {
  constexpr std::string_view clouds[] = {"aws", "gcp"};
  const Json file = mapping({{"exporter_id", text("what HARCollector names")},
                             {"file_dir", text("of the files; relative ones start at the configuration root")},
                             {"file_name", text("of the newest file")},
                             {"max_size_mb", integer(1, UINT32_MAX, "of one file")},
                             {"max_files", integer(1, UINT32_MAX, "older files that are kept")}},
                            {}, "HAR lines in files");
  const Json cloud = mapping({{"exporter_id", text("")},
                              {"type", choice(clouds, "")},
                              {"bucket_name", text("")},
                              {"region", text("")},
                              {"endpoint", text("")}},
                             {}, "read, and not available in this version");
  const Json store =
      mapping({{"bucket_name", text("")}, {"url", text("")}}, {}, "read, and not available in this version");
  return mapping({{"file", file}, {"cloud", cloud}, {"s3_minio", store}}, {}, "where HARCollector writes to");
}

Json gateway_file() {
  constexpr std::string_view versions[] = {"1.2", "1.3"};
  const Json verify = boolean("false: certificates are not verified, with a warning at every load");
  const Json certificate = mapping({{"domain", word("an exact host, or *. and a domain")},
                                    {"cert", word("a .pem with certificate and key, or a .crt beside its .key")},
                                    {"ca", word("instead of the system roots")},
                                    {"tls_verify", verify}},
                                   {"domain", "cert"}, "");
  Json minimum = choice(versions, "1.2 where it is absent");
  minimum["enum"].push_back(1.2);
  minimum["enum"].push_back(1.3);
  const Json provider = mapping({{"domain", word("an exact host, or *. and a domain")},
                                 {"tls_verify", verify},
                                 {"ca", word("instead of the system roots")},
                                 {"min_version", minimum}},
                                {"domain"}, "");
  const Json traces = mapping(
      {{"trace_exporter_id", word("what UserDefinedTraces names")}, {"traces_endpoint", word("a URL, or host:port")}},
      {"trace_exporter_id", "traces_endpoint"}, "where spans go to");
  return mapping({{"allowed_domains", list(text(""), "regular expressions; empty: all")},
                  {"blocked_domains", list(text(""), "regular expressions; empty: none")},
                  {"mTLS", one_or_list(certificate, "client certificates")},
                  {"provider_tls", one_or_list(provider, "how providers are verified")},
                  {"exporters", exporters()},
                  {"trace_exporter", traces}},
                 {}, "");
}

Json body_of(FileKind kind, Json& definitions) {
  switch (kind) {
    case FileKind::flow:
      return flow_file(definitions);
    case FileKind::quota:
      return quota_file(definitions);
    case FileKind::path_params:
      return path_params_file();
    case FileKind::metrics:
      return metrics_file();
    case FileKind::gateway_config:
      break;
  }
  return gateway_file();
}

}  // namespace

std::span<const std::string_view> file_kind_names() { return kind_names; }

Json schema_of(FileKind kind) {
  Json definitions = Json::object();
  Json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
           {"title", "lunar " + std::string(kind_names[static_cast<size_t>(kind)])}};
  out.update(body_of(kind, definitions));
  const bool may_be_empty = kind != FileKind::flow && kind != FileKind::quota;
  if (may_be_empty) out["type"] = Json::array({"object", "null"});
  if (!definitions.empty()) out["$defs"] = std::move(definitions);
  return out;
}

}  // namespace lunar
