#include "agent/flow_role.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "agent/base/log.h"
#include "agent/base/memory_file.h"
#include "agent/config/durable_file.h"
#include "agent/failsafe/places.h"
#include "flowengine/http_date.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr size_t largest_bundle = 1 << 30;
constexpr std::string_view snapshot_name = "quotas.json";

std::string snapshot_path(const LunardConfig& config) {
  return gateway_state_folder(config.state.dir) + "/" + std::string(snapshot_name);
}

json describe(const GroupView& group) {
  json out{{"group", group.group}, {"limit", group.limit}, {"used", group.used}};
  auto time = [](const std::optional<WallTime>& at) { return at ? json(rfc3339_text(*at)) : json(); };
  out["ends"] = time(group.ends);
  out["blocked_until"] = time(group.blocked_until);
  return out;
}

// Indexes of all flows in the order in which they would run for a request that all of them concern, each by the most
// specific of its patterns.
std::vector<uint32_t> request_order(const Plan& plan) {
  std::vector<uint32_t> rank(plan.flows.size()), order(plan.flows.size());
  for (const PatternOwner& owner : plan.owners)
    if (!owner.quota) rank[owner.index] = std::max(rank[owner.index], owner.rank);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&](uint32_t flow) { return std::pair(rank[flow], flow); });
  return order;
}

}  // namespace

Result<ConfigBundle> take_bundle(ChannelMessage& message) {
  if (message.fds.empty()) return fail("a message about the configuration brings none");
  const Fd file = std::move(message.fds.back());
  message.fds.pop_back();
  auto bytes = read_memory_file(file.get(), largest_bundle);
  if (!bytes) return std::unexpected(bytes.error());
  return config_bundle_from_json(json::from_cbor(*bytes, true, false));
}

std::vector<Fd> take_script_sockets(ChannelMessage& message) {
  const size_t count = std::min(message.body.value("scripts", size_t{0}), message.fds.size());
  const auto first = message.fds.end() - static_cast<ptrdiff_t>(count);
  std::vector<Fd> out(std::make_move_iterator(first), std::make_move_iterator(message.fds.end()));
  message.fds.erase(first, message.fds.end());
  return out;
}

LoadedFlows load_flows(const ConfigBundle& bundle, const LunardConfig& config, bool lenient) {
  CompileOptions options{
      .lenient = lenient, .retry_timeout = config.flows.retry_timeout, .environment = bundle.environment};
  if (config.flows.processing_timeout) options.processing_timeout = *config.flows.processing_timeout;
  LoadedFlows out;
  out.compiled = compile(bundle.sources, options);
  out.gateway = resolve_gateway_config(out.compiled.gateway, config.config_dir);
  for (const Diagnostics* some :
       {&bundle.unreadable, &std::as_const(out.compiled.diagnostics), &std::as_const(out.gateway.diagnostics)})
    for (const Diagnostic& one : some->list()) out.findings.add(one);
  if (!lenient && out.findings.has_errors()) out.compiled.plan = nullptr;
  out.sources = without_files(bundle.sources, out.compiled.skipped);
  return out;
}

json outcome_of(const LoadedFlows& loaded, bool activated) {
  json diagnostics = json::array();
  for (const Diagnostic& one : loaded.findings.list()) {
    diagnostics.push_back({{"file", one.file},
                           {"line", one.at.line},
                           {"column", one.at.column},
                           {"severity", severity_name(one.severity)},
                           {"id", one.id},
                           {"text", one.text}});
  }
  const Diagnostic* error = loaded.findings.first_error();
  bool accepted = loaded.compiled.plan != nullptr;
  std::string message = activated ? "the configuration was reloaded" : "the configuration has no errors";
  if (!accepted)
    message = activated ? "the configuration was refused, the old one serves on" : "the configuration has errors";
  return {{"accepted", accepted},
          {"msg", message},
          {"error", error == nullptr ? "" : error->print()},
          {"diagnostics", std::move(diagnostics)}};
}

FlowRole::FlowRole(EventLoop& loop, const GatewayStart& start)
    : config_(start.config),
      outlets_(loop, start.config, {.instance_id = start.instance_id, .version = start.version}),
      save_timer_(loop.timer([this] { save(); })) {}

Result<> FlowRole::confine(const LoadedFlows& loaded) {
  outlets_.read_certificates(loaded.gateway.config);
  const std::string log_folder = std::filesystem::path(config_.access_log.path).parent_path();
  const std::string& exporter_folder = loaded.gateway.config.file_exporter.dir;
  auto confined = sandbox({.config_dir = config_.config_dir,
                           .write_folders = {log_folder, gateway_state_folder(config_.state.dir), exporter_folder}});
  if (!confined) return std::unexpected(confined.error());
  for (const std::string& sentence : confined->weakened) log::warn("{}", sentence);
  confinement_ = *std::move(confined);
  return {};
}

void FlowRole::begin(gateway::Gateway& gateway, LoadedFlows loaded) {
  gateway_ = &gateway;
  restore();
  outlets_.begin();
  activate(std::move(loaded));
  save_timer_.fire_after(config_.state.snapshot_interval);
}

void FlowRole::activate(LoadedFlows loaded) {
  gateway_->set_domains(loaded.gateway.config.domains);
  if (loaded.compiled.plan == nullptr) return;
  plan_ = loaded.compiled.plan;
  sources_ = std::move(loaded.sources);
  // metrics.yaml that is not there selects everything.
  metrics_spec_ =
      loaded.compiled.metrics.everything ? nullptr : std::make_shared<const MetricsSpec>(loaded.compiled.metrics);
  outlets_.set_configuration(plan_, metrics_spec_, loaded.gateway.config);
  outlets_.set_skipped_files(loaded.compiled.skipped.size());
  gateway_->set_plan(plan_);
}

Result<json> FlowRole::reload(ChannelMessage& message, bool activate_it,
                              const std::function<void(const Diagnostics&)>& took_effect) {
  auto bundle = take_bundle(message);
  if (!bundle) return std::unexpected(bundle.error());
  LoadedFlows loaded = load_flows(*bundle, config_, false);
  check_exporter_folder(loaded);
  json outcome = outcome_of(loaded, activate_it);
  const bool accepted = loaded.compiled.plan != nullptr;
  if (!activate_it) return outcome;
  outlets_.count_reload(accepted);
  if (!accepted) {
    for (const Diagnostic& finding : loaded.findings.list()) log::warn("not loaded: {}", finding.print());
    return outcome;
  }
  took_effect(loaded.findings);
  outlets_.read_certificates(loaded.gateway.config);
  activate(std::move(loaded));
  log::info("the configuration was reloaded: {} flows", flows_loaded());
  return outcome;
}

// What this process may write was settled when it started.
void FlowRole::check_exporter_folder(LoadedFlows& loaded) const {
  const FileExporter& exporter = loaded.gateway.config.file_exporter;
  if (exporter.at.line == 0 || confinement_.may_write_in(exporter.dir)) return;
  loaded.findings.add({std::string(gateway_config_name), exporter.at, Severity::warning, "file-unusable",
                       exporter.dir + " was not there or not the exporter's when the gateway process started: "
                                      "HAR entries are lost until `lunarctl restart`"});
}

void FlowRole::restore() {
  std::ifstream file(snapshot_path(config_), std::ios::binary);
  if (!file) return;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const json snapshot = json::parse(text, nullptr, false);
  if (auto restored = gateway_->flows().restore(snapshot, gateway::instant_at(monotonic_now())); !restored)
    log::warn("{} is ignored, quotas begin anew: {}", snapshot_path(config_), restored.error().text);
}

void FlowRole::save() {
  save_timer_.fire_after(config_.state.snapshot_interval);
  if (plan_ == nullptr || plan_->quotas.nodes.empty()) return;
  const Instant now = gateway::instant_at(monotonic_now());
  gateway_->flows().sweep(now);
  const std::string path = snapshot_path(config_);
  if (auto saved = replace_durably(path, path + ".new", gateway_->flows().save(now).dump(), 0640); !saved)
    log::warn("quotas were not saved: {}: {}", saved.error().text, strerror(saved.error().os_error));
}

void FlowRole::finish() {
  if (gateway_ == nullptr) return;
  save();
  outlets_.finish();
}

void FlowRole::write_metrics(MetricText& text) {
  const std::vector<NodeView> quotas = gateway_->flows().quotas(gateway::instant_at(monotonic_now()));
  const std::vector<LineNumber> lines = gateway_->flows().lines();
  outlets_.write(text, {.quotas = quotas, .lines = lines});
}

json FlowRole::describe_flows() {
  json list = json::array();
  if (plan_ == nullptr) return list;
  outlets_.drain();
  for (const uint32_t index : request_order(*plan_)) {
    const Flow& flow = plan_->flows[index];
    json urls = json::array();
    for (const UrlPattern& pattern : flow.patterns) urls.push_back(pattern.text());
    list.push_back({{"rank", list.size() + 1},
                    {"name", flow.name},
                    {"file", flow.file},
                    {"urls", std::move(urls)},
                    {"mode", flow.shadow ? "shadow" : "enforce"},
                    {"requests", outlets_.runs_of(flow.name)},
                    {"active", true}});
  }
  return list;
}

json FlowRole::describe_quotas() const {
  json list = json::array();
  for (const NodeView& node : gateway_->flows().quotas(gateway::instant_at(monotonic_now()))) {
    json groups = json::array();
    for (const GroupView& group : node.groups) groups.push_back(describe(group));
    list.push_back({{"id", node.id},
                    {"strategy", node.strategy},
                    {"groups", std::move(groups)},
                    {"unreadable", node.unreadable},
                    {"overflowed", node.overflowed}});
  }
  return {{"quotas", std::move(list)}};
}

}  // namespace lunar
