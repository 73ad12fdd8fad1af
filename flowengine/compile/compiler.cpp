#include "flowengine/compile/compiler.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "flowengine/compile/flow_reader.h"
#include "flowengine/compile/graph_builder.h"
#include "flowengine/compile/quota_compiler.h"
#include "flowengine/spec/document.h"

namespace lunar {
namespace {

using Paths = std::set<std::string, std::less<>>;

// One go over the files that are not left out.
class Compilation final : public Surroundings {
 public:
  Compilation(const Sources& sources, const CompileOptions& options, const Paths& left_out)
      : sources_(sources), options_(options), left_out_(left_out), quotas_(out_.diagnostics) {
    processing_timeout = options.processing_timeout;
    retry_timeout = options.retry_timeout;
  }

  Compiled run() {
    read_gateway();
    if (sources_.metrics && !left_out(*sources_.metrics))
      out_.metrics = read_metrics_spec(sources_.metrics->text, out_.diagnostics);
    note_policies();
    read_plugins();
    for (const SourceFile& file : sources_.path_params) read_path_params(file);
    for (const SourceFile& file : sources_.quotas) read_quotas(file);
    read_flows();
    build_flows();
    add_owners();
    plan_->longest_queue_wait = longest_queue_wait;
    out_.plan = plan_;
    return std::move(out_);
  }

  [[nodiscard]] std::optional<uint32_t> quota_node(std::string_view id) override { return quotas_.node(id); }
  void refer_to_quota(uint32_t node) override {
    for (std::optional<uint32_t> at = node; at; at = plan_->quotas.nodes[*at].parent) {
      QuotaRule& rule = plan_->quota_rules[*at];
      rule.automatic = false;
      bool body = rule.counter && rule.counter->root() == Root::request && rule.counter->needs_body();
      request_body_needed = request_body_needed || body;
    }
  }
  [[nodiscard]] bool quota_file_skipped(std::string_view id) const override { return quotas_.skipped(id); }
  [[nodiscard]] bool has_environment(std::string_view name) const override {
    return options_.environment.find(name) != options_.environment.end();
  }
  [[nodiscard]] std::string environment(std::string_view name) const override {
    auto found = options_.environment.find(name);
    return found == options_.environment.end() ? "" : found->second;
  }

 private:
  [[nodiscard]] bool left_out(const SourceFile& file) const { return left_out_.contains(file.path); }

  void read_gateway() {
    if (!sources_.gateway_config) return;
    if (left_out(*sources_.gateway_config)) return read_providers(sources_.gateway_config->text);
    out_.gateway = read_gateway_spec(sources_.gateway_config->text, out_.diagnostics);
    file_exporter = out_.gateway.file_exporter.id;
    unsupported_exporters = out_.gateway.unsupported_exporters;
    if (out_.gateway.trace_exporter) trace_exporter = out_.gateway.trace_exporter->id;
  }

  // Defaults in place of an authority, a certificate or a lowest version that somebody wanted are no safe way out.
  void read_providers(std::string_view gateway_config) {
    Diagnostics told;  // by the pass that found the error
    GatewaySpec spec = read_gateway_spec(gateway_config, told);
    out_.gateway.client_certificates = std::move(spec.client_certificates);
    out_.gateway.provider_tls = std::move(spec.provider_tls);
  }

  void note_policies() {
    if (!sources_.policies) return;
    out_.diagnostics.add(
        {sources_.policies->path,
         {1, 1},
         Severity::warning,
         "policies-ignored",
         "policies are not loaded; `lunarctl migrate policies.yaml` will turn them into flows (planned)"});
  }

  void read_plugins() {
    if (!sources_.user_processors) return;
    const SourceFile& file = *sources_.user_processors;
    out_.diagnostics.add({file.path,
                          {1, 1},
                          Severity::warning,
                          "plugins-unsupported",
                          "plug-in processors are not run by this version; a flow that uses one is refused"});
    Diagnostics ignored;
    auto document = read_document(file.path, file.text, ignored);
    if (!document || document->kind != Value::Kind::map) return;
    const Value* list = document->get("processors");
    const Value& names = list == nullptr ? *document : *list;
    for (const Entry& entry : names.entries) plugins.push_back(entry.key);
    for (const Value& item : names.items) {
      const Value* name = item.kind == Value::Kind::map ? item.get("name") : &item;
      if (name != nullptr) plugins.push_back(name->text);
    }
  }

  void read_path_params(const SourceFile& file) {
    constexpr std::string_view keys[] = {"path_params"};
    constexpr std::string_view entry_keys[] = {"url"};
    if (left_out(file)) return;
    auto document = read_document(file.path, file.text, out_.diagnostics);
    Reader reader(file.path, out_.diagnostics);
    if (!document || document->kind == Value::Kind::null || !reader.map(*document)) return;
    reader.warn_unknown_keys(*document, keys);
    const Value* list = document->get("path_params");
    auto items = list == nullptr ? std::nullopt : reader.list(*list);
    for (const Value* item : items.value_or(std::vector<const Value*>{})) {
      if (!reader.map(*item)) continue;
      reader.warn_unknown_keys(*item, entry_keys);
      const Value* url = item->get("url");
      if (url == nullptr) {
        reader.error(item->at, "param-entry", "`url` is required here");
        continue;
      }
      auto text = reader.string(*url);
      if (!text) continue;
      auto pattern = UrlPattern::parse(*text);
      if (pattern) {
        plan_->known_paths.push_back(*std::move(pattern));
      } else {
        reader.error(
            url->at, pattern.error().id,
            "\"" + *text + "\": " + pattern.error().text + " (offset " + std::to_string(pattern.error().offset) + ")");
      }
    }
  }

  void read_quotas(const SourceFile& file) {
    if (left_out(file)) return;
    auto document = read_document(file.path, file.text, out_.diagnostics);
    if (document) (void)quotas_.compile(file.path, *document, *plan_);
  }

  void read_flows() {
    for (const SourceFile& file : sources_.flows) {
      if (left_out(file)) continue;
      auto document = read_document(file.path, file.text, out_.diagnostics);
      if (!document) continue;
      request_body_needed = false;
      drafts_.push_back(
          std::make_unique<FlowDraft>(read_flow({file.path, *document}, *this, plan_->instances, out_.diagnostics)));
      FlowDraft& draft = *drafts_.back();
      draft.needs_request_body = request_body_needed;
      if (draft.name.empty()) continue;
      auto [first, added] = by_name_.try_emplace(draft.name, &draft);
      if (added) continue;
      draft.good = false;
      out_.diagnostics.add({draft.file, draft.name_position, Severity::error, "duplicate-flow",
                            "flow \"" + draft.name + "\" is declared in " + first->second->file + ":" +
                                std::to_string(first->second->name_position.line) + " already"});
    }
  }

  void build_flows() {
    std::vector<FlowGraphs> graphs;
    GraphWorkshop around{by_name_, plan_->instances, out_.diagnostics};
    for (auto& draft : drafts_) graphs.push_back(build_graphs(*draft, around));
    warn_unused();
    for (size_t i = 0; i < drafts_.size(); ++i)
      if (drafts_[i]->good) add_flow(*drafts_[i], std::move(graphs[i]));
    warn_param_names();
  }

  void warn_unused() {
    for (const auto& draft : drafts_) {
      if (!draft->request_read || !draft->response_read) continue;  // a connection that names it may be the faulty one
      for (const std::string& key : draft->processor_order) {
        const DeclaredProcessor& declared = draft->processors.find(key)->second;
        if (declared.used) continue;
        out_.diagnostics.add({draft->file, declared.position, Severity::warning, "unused-processor",
                              "no connection names `" + key + "`; it never runs"});
      }
    }
  }

  void add_flow(FlowDraft& draft, FlowGraphs graphs) {
    Flow flow{.name = draft.name,
              .file = draft.file,
              .filter = std::move(draft.filter.filter),
              .patterns = std::move(draft.filter.patterns),
              .request = std::move(graphs.request),
              .response = std::move(graphs.response),
              .body = {.hold_request = draft.needs_request_body},
              .blocks_on_error = draft.blocks_on_error,
              .shadow = draft.shadow};
    for (const GraphNode& node : flow.request.nodes)
      if (node.runs) flow.body |= plan_->instances[node.instance].processor->body_use(Phase::request);
    for (const GraphNode& node : flow.response.nodes)
      if (node.runs) flow.body |= plan_->instances[node.instance].processor->body_use(Phase::response);
    plan_->flows.push_back(std::move(flow));
  }

  using KnownNames = std::map<std::string, std::pair<std::string, std::string>>;  // position -> name, file

  // The same position of the same patterns under two names (flows.md §4).
  void warn_param_names() {
    KnownNames known;
    auto flow = plan_->flows.begin();  // those of the good drafts, in the same order
    for (const auto& draft : drafts_) {
      if (!draft->good) continue;
      const Flow* current = &*flow++;
      for (size_t i = 0; i < current->patterns.size(); ++i) warn_param_names(*draft, i, current->patterns[i], known);
    }
  }

  void warn_param_names(const FlowDraft& draft, size_t index, const UrlPattern& pattern, KnownNames& known) {
    for (const UrlPattern::Parameter& parameter : pattern.parameters()) {
      auto [first, added] = known.try_emplace(parameter.position, parameter.name, draft.file);
      if (added || first->second.first == parameter.name) continue;
      out_.diagnostics.add({draft.file, draft.filter.host_positions[index], Severity::warning, "param-name-conflict",
                            "`{" + parameter.name + "}` of \"" + pattern.text() + "\" is `{" + first->second.first +
                                "}` in " + first->second.second + "; each flow sees its own name"});
    }
  }

  void add_owners() {
    std::vector<UrlPattern> patterns;
    auto add = [&](bool quota, uint32_t index, const std::vector<UrlPattern>& own) {
      for (uint32_t i = 0; i < own.size(); ++i) {
        plan_->owners.push_back({.quota = quota, .index = index, .position = i});
        patterns.push_back(own[i]);
      }
    };
    for (uint32_t i = 0; i < plan_->flows.size(); ++i) add(false, i, plan_->flows[i].patterns);
    for (uint32_t i = 0; i < plan_->quota_rules.size(); ++i)
      if (concerns_traffic(i)) add(true, i, plan_->quota_rules[i].patterns);
    rank(patterns);
    plan_->selector = Selector(std::move(patterns));
  }

  // A referenced node has to be looked for only where it learns from every matching response.
  [[nodiscard]] bool concerns_traffic(uint32_t node) const {
    return plan_->quota_rules[node].automatic ||
           std::holds_alternative<HeaderBased>(plan_->quotas.nodes[node].strategy);
  }

  void rank(const std::vector<UrlPattern>& patterns) {
    std::vector<uint32_t> order(patterns.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(
        order, [&](uint32_t left, uint32_t right) { return patterns[left].compare_specificity(patterns[right]) < 0; });
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      bool more = i > 0 && patterns[order[i - 1]].compare_specificity(patterns[order[i]]) < 0;
      rank += more ? 1 : 0;
      plan_->owners[order[i]].rank = rank;
    }
  }

  const Sources& sources_;
  const CompileOptions& options_;
  const Paths& left_out_;
  Compiled out_;
  std::shared_ptr<Plan> plan_ = std::make_shared<Plan>();
  QuotaCompiler quotas_;
  std::vector<std::unique_ptr<FlowDraft>> drafts_;
  FlowDrafts by_name_;
};

// A flow that is spliced into others is read more than once; each finding is told once.
Diagnostics unique(const Diagnostics& findings) {
  Diagnostics out;
  std::set<std::tuple<std::string_view, Position, std::string_view, std::string_view>> seen;
  for (const Diagnostic& one : findings.list())
    if (seen.emplace(one.file, one.at, one.id, one.text).second) out.add(one);
  return out;
}

}  // namespace

Compiled compile(const Sources& sources, const CompileOptions& options) {
  Paths left_out;
  Diagnostics findings;
  for (;;) {
    Compiled out = Compilation(sources, options, left_out).run();
    const size_t before = left_out.size();
    for (const Diagnostic& one : out.diagnostics.list()) {
      findings.add(one);
      if (one.severity == Severity::error) left_out.insert(one.file);
    }
    if (left_out.size() > before && options.lenient) continue;
    if (left_out.size() > before) out.plan = nullptr;
    out.diagnostics = unique(findings);
    if (options.lenient) out.skipped.assign(left_out.begin(), left_out.end());
    return out;
  }
}

}  // namespace lunar
