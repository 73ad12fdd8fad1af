#include "flowengine/explain/schema.h"

#include <doctest/doctest.h>

#include <string>

#include "flowengine/processors/processor.h"
#include "tests/flowengine/explain/schema_check.h"
#include "tests/flowengine/flows/config_folder.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

constexpr std::string_view straight = "[{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]";

std::string flow(const std::string& processors, const std::string& filter = "{url: a.example.com/x}",
                 const std::string& more = "") {
  return "name: F\nfilter: " + filter + "\nprocessors: " + processors + "\nflow: {request: " + std::string(straight) +
         ", response: " + std::string(straight) + "}\n" + more;
}

bool fits(FileKind kind, const std::string& text) {
  const std::string fault = schema_fault_of_yaml(schema_of(kind), text);
  INFO(text << " " << fault);
  return fault.empty();
}

}  // namespace

TEST_CASE("schema: every kind of file has one, of the draft that it says") {
  for (size_t i = 0; i < file_kind_names().size(); ++i) {
    const Json schema = schema_of(static_cast<FileKind>(i));
    CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
    CHECK(schema["title"] == "lunar " + std::string(file_kind_names()[i]));
    CHECK(schema["additionalProperties"] == false);
  }
}

TEST_CASE("schema: knows every processor type that can be used, with all its parameters and their help") {
  const Json schema = schema_of(FileKind::flow);
  for (const ProcessorType* type : builtin_processors()) {
    CAPTURE(type->name);
    const std::string name = "parameters_" + std::string(type->name);
    CHECK(schema["$defs"].contains(name) == type->unavailable.empty());
    if (!type->unavailable.empty()) continue;
    const std::string text = schema["$defs"][name].dump();
    for (const Parameter& parameter : type->parameters) {
      CHECK(text.find("\"const\":\"" + std::string(parameter.name) + "\"") != std::string::npos);
      CHECK(text.find(Json(parameter.help).dump()) != std::string::npos);
    }
  }
}

TEST_CASE("schema: a flow with parameters of the right kind and range fits") {
  CHECK(fits(FileKind::flow, flow("{}")));
  CHECK(fits(FileKind::flow, flow("{L: {processor: Limiter, parameters: [{key: quota_id, value: Q}]}}")));
  CHECK(fits(FileKind::flow,
             flow("{Q: {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 2},"
                  " {key: ttl_seconds, value: 0.5}, {key: priority_groups, value: {a: 1}}]}}")));
  CHECK(fits(FileKind::flow, flow("{G: {processor: GenerateResponse, parameters: [{key: status, value: 429},"
                                  " {key: body, value: {a: 1}}, {key: Retry-After, value: 60}]}}")));
  CHECK(fits(
      FileKind::flow,
      flow("{R: {processor: Retry, parameters: [{key: attempts, value: 1}, {key: backoff, value: exponential}]}}")));
  CHECK(fits(FileKind::flow,
             flow("{F: {processor: Filter, parameters: [{key: method, value: GET}, {key: urls, value: [a, b]}],"
                  " metrics: {enabled: true, labels: [host]}}}")));
  CHECK(
      fits(FileKind::flow,
           flow("{}",
                "{urls: [a, b], method: GET, headers: {key: a, value: 1, operation: gt}, status_code: [404, '500-599'],"
                " expressions: ['$.request.body', {key: $.request.path, value: /}], sample_percentage: 5}",
                "on_error: block\nmode: shadow\n")));
}

TEST_CASE("schema: a flow that would not load does not fit") {
  CHECK_FALSE(fits(FileKind::flow, "{}"));
  CHECK_FALSE(fits(FileKind::flow, flow("{L: {processor: Limiter}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{L: {processor: Limiter, parameters: [{key: header, value: Q}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{L: {processor: limiter, parameters: [{key: quota_id, value: Q}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{L: {processor: Limiter, parameters: [{key: quota_id}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{R: {processor: Retry, parameters: [{key: attempts, value: 0}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{R: {processor: Retry, parameters: [{key: attempts, value: many}]}}")));
  CHECK_FALSE(
      fits(FileKind::flow,
           flow("{R: {processor: Retry, parameters: [{key: attempts, value: 1}, {key: jitter, value: some}]}}")));
  CHECK_FALSE(
      fits(FileKind::flow, flow("{G: {processor: GenerateResponse, parameters: [{key: Content-Type, value: {}}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{G: {processor: GenerateResponse, parameters: [{key: statsu, value: 1}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{A: {processor: AsyncRetry, parameters: [{key: attempts, value: 1}]}}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{}", "{method: GET}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{}", "{url: a, headers: [{key: a, operation: like}]}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{}", "{url: a, status_code: 40}")));
  CHECK_FALSE(fits(FileKind::flow, flow("{}", "{url: a}", "colour: red\n")));
  CHECK_FALSE(fits(FileKind::flow, "name: F\nfilter: {url: a}\nflow: {request: [], response: []}\n"));
  CHECK_FALSE(fits(FileKind::flow,
                   "name: F\nfilter: {url: a}\nflow: {request: [{from: {stream: {name: s, at: end}},"
                   " to: {stream: {name: s, at: end}}}], response: " +
                       std::string(straight) + "}\n"));
}

TEST_CASE("schema: quota files with every strategy fit, others do not") {
  const auto quota = [](const std::string& strategy) {
    return "quotas: [{id: Q, filter: {url: a.example.com}, strategy: " + strategy + "}]\n";
  };
  CHECK(fits(FileKind::quota, quota("{fixed_window: {max: 1, interval: 1, interval_unit: day}}")));
  CHECK(fits(FileKind::quota, quota("{fixed_window: {static: {max: 1, interval: 1, interval_unit: day}}}")));
  CHECK(fits(FileKind::quota, quota("{fixed_window: {dynamic: {remaining_header: a}}}")));
  CHECK(fits(FileKind::quota, quota("{fixed_window_llm: {max: 1, interval: 1, interval_unit: day}}")));
  CHECK(fits(FileKind::quota, quota("{concurrent: {max_request_count: 8}}")));
  CHECK(fits(FileKind::quota, quota("{header_based: {quota_header: a, reset_header: b}}")));
  CHECK(fits(FileKind::quota, quota("{concurrent: {max_request_count: 8}}") +
                                  "internal_limits: [{id: S, parent_id: Q, strategy: {allocation_percentage: 30}}]\n"));
  CHECK_FALSE(fits(FileKind::quota, quota("{}")));
  CHECK_FALSE(fits(FileKind::quota, quota("{allocation_percentage: 30}")));
  CHECK_FALSE(fits(FileKind::quota, quota("{fixed_window: {max: 0, interval: 1, interval_unit: day}}")));
  CHECK_FALSE(fits(FileKind::quota, quota("{fixed_window_custom_counter: {max: 1, interval: 1, interval_unit: day}}")));
  CHECK_FALSE(fits(FileKind::quota, quota("{concurrent: {max_request_count: 8}, header_based: {quota_header: a}}")));
  CHECK_FALSE(fits(FileKind::quota, "quotas: []\n"));
}

TEST_CASE("schema: the other files") {
  CHECK(fits(FileKind::path_params, "path_params: [{url: \"a.example.com/{id}\"}]\n"));
  CHECK(fits(FileKind::path_params, ""));
  CHECK_FALSE(fits(FileKind::path_params, "path_params: [{}]\n"));
  CHECK(fits(FileKind::metrics,
             "general_metrics: {label_value: [host], metric_value: [{name: transaction_duration,"
             " buckets: [1, 2.5]}]}\nsystem_metrics: [{name: active_flows, description: d}]\n"));
  CHECK_FALSE(fits(FileKind::metrics, "system_metrics: [{name: flows}]\n"));
  CHECK(fits(FileKind::gateway_config,
             "allowed_domains: [a]\nmTLS: [{domain: a, cert: b}]\nprovider_tls:"
             " [{domain: a, min_version: 1.3}]\nexporters: {file: {max_size_mb: 5}}\n"
             "trace_exporter: {trace_exporter_id: a, traces_endpoint: \"b:1\"}\n"));
  CHECK_FALSE(fits(FileKind::gateway_config, "mTLS: [{domain: a}]\n"));
  CHECK_FALSE(fits(FileKind::gateway_config, "exporters: {file: {max_files: 0}}\n"));
}

TEST_CASE("schema: the example configurations without a warning fit") {
  namespace fs = std::filesystem;
  if (!fs::is_directory(test_data() / "flows")) return;
  for (const fs::path& path : entries_of(test_data() / "flows")) {
    const ConfigFolder folder = read_config_folder(path);
    const Compiled out = compile(folder.sources, folder.options);
    const auto clean = [&](const SourceFile& file) {
      return std::ranges::none_of(out.diagnostics.list(), [&](const Diagnostic& one) {
        return one.file == file.path && one.severity != Severity::note;
      });
    };
    const auto check = [&](FileKind kind, const SourceFile& file) {
      if (!clean(file)) return;
      CAPTURE(path.filename().string() + "/" + file.path);
      CHECK(schema_fault_of_yaml(schema_of(kind), file.text) == "");
    };
    for (const SourceFile& file : folder.sources.flows) check(FileKind::flow, file);
    for (const SourceFile& file : folder.sources.quotas) check(FileKind::quota, file);
    for (const SourceFile& file : folder.sources.path_params) check(FileKind::path_params, file);
    if (folder.sources.metrics) check(FileKind::metrics, *folder.sources.metrics);
    if (folder.sources.gateway_config) check(FileKind::gateway_config, *folder.sources.gateway_config);
  }
}

}  // namespace lunar
