#include "flowengine/compile/quota_compiler.h"

#include <algorithm>
#include <cmath>

#include "flowengine/compile/strategy_reader.h"

namespace lunar {

// One file, until it is known to be good as a whole.
class QuotaFile {
 public:
  QuotaFile(QuotaCompiler& compiler, std::string_view file, const Value& document)
      : compiler_(compiler), file_(file), document_(document), reader_(file, compiler.out_) {}

  bool compile(Plan& plan) {
    const size_t before = compiler_.out_.list().size();
    base_ = static_cast<uint32_t>(plan.quotas.nodes.size());
    read();
    bool faulty =
        std::any_of(compiler_.out_.list().begin() + static_cast<ptrdiff_t>(before), compiler_.out_.list().end(),
                    [](const Diagnostic& one) { return one.severity == Severity::error; });
    if (faulty) {
      compiler_.skipped_.merge(declared_);
      return false;
    }
    for (Node& node : nodes_) {
      const auto index = static_cast<uint32_t>(plan.quotas.nodes.size());
      compiler_.ids_.try_emplace(node.definition.id, QuotaCompiler::Place{file_, node.at}, index);
      plan.quotas.nodes.push_back(std::move(node.definition));
      plan.quota_rules.push_back({.filter = std::move(node.filter.filter),
                                  .patterns = std::move(node.filter.patterns),
                                  .counter = std::move(node.counter)});
    }
    for (const auto& [host, at] : hosts_) compiler_.hosts_.emplace(host, QuotaCompiler::Place{file_, at});
    return true;
  }

 private:
  struct Node {
    QuotaNode definition;
    CompiledFilter filter;
    std::optional<Expression> counter;
    std::optional<std::string> group_by_header;  // "" means none
    std::optional<MonthlyRenewal> renewal;       // its own, or of the parent for an allocation
    Position at;
  };

  void read() {
    constexpr std::string_view keys[] = {"quotas", "internal_limits"};
    if (document_.kind == Value::Kind::null) return require_quotas({1, 1});
    if (!reader_.map(document_)) return;
    reader_.warn_unknown_keys(document_, keys);
    const Value* quotas = document_.get("quotas");
    if (quotas == nullptr) {
      require_quotas(document_.at);
    } else {
      auto list = reader_.list(*quotas);
      if (!list) return;
      if (list->empty()) require_quotas(quotas->at);
      for (const Value* quota : *list)
        if (reader_.map(*quota)) read_quota(*quota);
    }
    if (const Value* limits = document_.get("internal_limits")) read_limits(*limits);
  }

  void require_quotas(Position at) { reader_.error(at, "quotas-required", "`quotas` needs at least one quota"); }

  void read_limits(const Value& limits) {
    auto list = reader_.list(limits);
    for (const Value* limit : list.value_or(std::vector<const Value*>{}))
      if (reader_.map(*limit)) read_limit(*limit);
  }

  void read_quota(const Value& entry) {
    constexpr std::string_view keys[] = {"id", "filter", "strategy"};
    reader_.warn_unknown_keys(entry, keys);
    Node node{.at = entry.at};
    bool named = read_id(entry, node);
    const Value* filter = entry.get("filter");
    if (filter == nullptr) {
      reader_.error(entry.at, "quota-filter-required", "`filter` is required");
    } else if (reader_.map(*filter)) {
      node.filter = compile_filter(*filter, {.missing_url_id = "filter-url-required"}, reader_);
      note_hosts(node.filter);
    }
    bool usable = read_strategy(entry, node, false);
    if (named && usable) add(std::move(node));
  }

  void read_limit(const Value& entry) {
    constexpr std::string_view keys[] = {"id", "parent_id", "filter", "strategy"};
    reader_.warn_unknown_keys(entry, keys);
    Node node{.at = entry.at};
    bool named = read_id(entry, node);
    auto parent = read_parent(entry, node.definition.id);
    const Value* filter = entry.get("filter");
    if (filter != nullptr && reader_.map(*filter)) {
      node.filter = compile_filter(*filter, {.needs_url = false}, reader_);
      note_hosts(node.filter);
    }
    if (parent) {
      node.definition.parent = base_ + *parent;
      inherit_filter(node.filter, nodes_[*parent].filter);
    }
    bool usable = read_strategy(entry, node, true);
    if (named && usable && parent) add(std::move(node));
  }

  bool read_id(const Value& entry, Node& node) {
    const Value* id = entry.get("id");
    auto text = id == nullptr ? std::nullopt : reader_.string(*id);
    if (id == nullptr || (text && text->empty())) {
      reader_.error(id == nullptr ? entry.at : id->at, "quota-id", "`id` is required");
      return false;
    }
    if (!text) return false;
    node.at = id->at;
    node.definition.id = *text;
    declared_.insert(*text);
    auto own = added_.find(*text);
    auto other = compiler_.ids_.find(*text);
    if (own == added_.end() && other == compiler_.ids_.end()) return true;
    const QuotaCompiler::Place first =
        own != added_.end() ? QuotaCompiler::Place{file_, nodes_[own->second].at} : other->second.place;
    const std::string place = first.file + ":" + std::to_string(first.at.line);
    reader_.error(id->at, "duplicate-quota", "quota \"" + *text + "\" is declared in " + place + " already");
    return false;
  }

  std::optional<uint32_t> read_parent(const Value& entry, std::string_view own_id) {
    const Value* parent = entry.get("parent_id");
    auto text = parent == nullptr ? std::nullopt : reader_.string(*parent);
    if (parent == nullptr) reader_.error(entry.at, "quota-parent", "`parent_id` is required");
    if (!text) return std::nullopt;
    if (auto found = added_.find(*text); found != added_.end()) return found->second;
    if (*text == own_id || !declared_.contains(*text))  // one with errors was told of already
      reader_.error(parent->at, "quota-parent", "\"" + *text + "\" stands nowhere above in this file");
    return std::nullopt;
  }

  bool read_strategy(const Value& entry, Node& node, bool internal) {
    const Value* strategy = entry.get("strategy");
    if (strategy == nullptr) {
      reader_.error(entry.at, "quota-strategy", "`strategy` is required");
      return false;
    }
    if (!reader_.map(*strategy)) return false;
    auto read = lunar::read_strategy(*strategy, internal, reader_);
    if (!read || (internal && !node.definition.parent)) return false;
    node.counter = std::move(read->counter);
    node.group_by_header = std::move(read->group_by_header);
    node.renewal = read->renewal;
    const Node* parent = parent_of(node);
    if (read->percentage) {
      if (!allocate(*strategy, *read->percentage, parent, node)) return false;
    } else {
      node.definition.strategy = std::move(read->strategy);
    }
    resolve_group(node, parent);
    return resolve_renewal(*strategy, node);
  }

  const Node* parent_of(const Node& node) const {
    return node.definition.parent ? &nodes_[*node.definition.parent - base_] : nullptr;
  }

  bool allocate(const Value& at, double percentage, const Node* parent, Node& node) {
    const auto* window = parent == nullptr ? nullptr : std::get_if<FixedWindow>(&parent->definition.strategy);
    if (window == nullptr) {
      reader_.error(at.at, "quota-strategy", "`allocation_percentage` needs a parent with a fixed window");
      return false;
    }
    FixedWindow share = *window;
    share.max = static_cast<int64_t>(std::floor(static_cast<double>(window->max) * percentage / 100));
    share.spillover_max.reset();
    share.carry_renewal.reset();
    node.definition.strategy = share;
    node.counter = parent->counter;
    node.renewal = parent->renewal;
    return true;
  }

  static void resolve_group(Node& node, const Node* parent) {
    if (node.group_by_header) {
      node.definition.group_by_header = *node.group_by_header;
    } else if (parent != nullptr) {
      node.definition.group_by_header = parent->definition.group_by_header;
    }
  }

  // Spillover ends at renewal instants: the node's own or those of the nearest ancestor.
  bool resolve_renewal(const Value& strategy, Node& node) {
    auto* window = std::get_if<FixedWindow>(&node.definition.strategy);
    if (window == nullptr) return true;
    window->renewal = node.renewal;
    std::optional<MonthlyRenewal> nearest = node.renewal;
    for (const Node* at = parent_of(node); at != nullptr && !nearest; at = parent_of(*at)) nearest = at->renewal;
    if (!window->spillover_max) return true;
    if (!nearest) {
      reader_.error(strategy.at, "spillover-needs-renewal",
                    "`spillover` needs `monthly_renewal` here or on an ancestor");
      return false;
    }
    window->carry_renewal = nearest;
    if (window->unit == Unit::month && window->interval == 1)
      reader_.warn(strategy.at, "spillover-needs-renewal",
                   "what is left over ends with each month, so that `spillover` can never act");
    return true;
  }

  void note_hosts(const CompiledFilter& filter) {
    for (size_t i = 0; i < filter.hosts.size(); ++i) {
      const std::string& host = filter.hosts[i];
      auto other = compiler_.hosts_.find(host);
      if (other != compiler_.hosts_.end())
        reader_.error(filter.host_positions[i], "quota-hosts",
                      "host \"" + host + "\" belongs to " + other->second.file + " and cannot be in " + file_);
      if (!hosts_.empty() && !hosts_.contains(host))
        reader_.error(filter.host_positions[i], "quota-hosts",
                      "this file is about host \"" + hosts_.begin()->first + "\" and cannot be about \"" + host + "\"");
      if (hosts_.empty()) hosts_.emplace(host, filter.host_positions[i]);
    }
  }

  void add(Node node) {
    added_.emplace(node.definition.id, static_cast<uint32_t>(nodes_.size()));
    nodes_.push_back(std::move(node));
  }

  QuotaCompiler& compiler_;
  std::string file_;
  const Value& document_;
  Reader reader_;
  uint32_t base_ = 0;
  std::vector<Node> nodes_;
  std::map<std::string, uint32_t> added_;  // ids of `nodes_`
  std::map<std::string, Position> hosts_;
  std::set<std::string, std::less<>> declared_;  // ids so far, those of faulty entries among them
};

std::optional<uint32_t> QuotaCompiler::node(std::string_view id) const {
  auto known = ids_.find(id);
  return known == ids_.end() ? std::nullopt : std::optional(known->second.node);
}

bool QuotaCompiler::compile(std::string_view file, const Value& document, Plan& plan) {
  return QuotaFile(*this, file, document).compile(plan);
}

}  // namespace lunar
