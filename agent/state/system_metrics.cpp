#include "agent/state/system_metrics.h"

#include <set>
#include <unordered_set>

#include "agent/state/metric_labels.h"

namespace lunar {
namespace {

bool selected(const MetricsSpec& spec, std::string_view name) { return spec.everything || spec.system.contains(name); }

LabelSet labels_of(std::string_view flow, std::string_view key = {}) {
  LabelSet out;
  out.add("flow_name", flow);
  if (!key.empty()) out.add("processor_key", key);
  return out;
}

// Begins the family if it was chosen.
bool begin(MetricText& text, const MetricsSpec& spec, std::string_view name, std::string_view help) {
  if (!selected(spec, name)) return false;
  const auto chosen = spec.system.find(name);
  if (chosen != spec.system.end() && !chosen->second.description.empty()) help = chosen->second.description;
  const bool counter = name == "flow_invocations" || name == "requests_through_flows";
  text.family(counter ? std::string(name) + "_total" : std::string(name),
              counter ? MetricKind::counter : MetricKind::gauge, help);
  return true;
}

}  // namespace

double SystemMetrics::Time::average_ms() const {
  if (runs == 0) return 0;
  return std::chrono::duration<double, std::milli>(spent).count() / static_cast<double>(runs);
}

void SystemMetrics::set_plan(std::shared_ptr<const Plan> plan) {
  plan_ = std::move(plan);
  std::unordered_set<std::string_view> flows;
  for (const Flow& flow : plan_->flows) flows.insert(flow.name);
  std::erase_if(flows_, [&](const auto& one) { return !flows.contains(one.first); });
  std::set<std::pair<std::string_view, std::string_view>> processors;
  for (const Instance& instance : plan_->instances) processors.emplace(instance.flow, instance.key);
  std::erase_if(processors_, [&](const auto& one) { return !processors.contains(one.first); });
}

void SystemMetrics::add(const FlowTallies& tallies) {
  for (const auto& [kind, tally] : tallies) {
    const auto& [plan, method, host, consumer_tag] = kind;
    auto labelled = [&](LabelSet labels) {
      labels.add("http_method", method);
      labels.add("host", host);
      labels.add("consumer_tag", consumer_tag);
      return labels;
    };
    for (const auto& [flow, use] : tally.flows)
      if (use.runs > 0) invocations_.at(labelled(labels_of(plan->flows[flow].name))) += static_cast<double>(use.runs);
    if (tally.requests > 0) requests_.at(labelled({})) += static_cast<double>(tally.requests);
    add_times(tally);
  }
}

void SystemMetrics::add_times(const FlowTally& tally) {
  for (const auto& [flow, use] : tally.flows) {
    Time& time = flows_[tally.plan->flows[flow].name];
    time.runs += use.runs;
    time.spent += use.spent;
  }
  for (const auto& [index, use] : tally.instances) {
    const Instance& instance = tally.plan->instances[index];
    Time& time = processors_[{instance.flow, instance.key}];
    time.runs += use.runs;
    time.spent += use.spent;
  }
}

uint64_t SystemMetrics::runs_of(std::string_view flow) const {
  const auto known = flows_.find(flow);
  return known == flows_.end() ? 0 : known->second.runs;
}

void SystemMetrics::write(MetricText& text, const MetricsSpec& spec) const {
  write_counts(text, spec);
  write_times(text, spec);
}

void SystemMetrics::write_counts(MetricText& text, const MetricsSpec& spec) const {
  if (plan_ && !plan_->flows.empty() && begin(text, spec, "active_flows", "Flows that are loaded.")) {
    CounterMap active;
    for (const Flow& flow : plan_->flows) active.at(labels_of(flow.name)) = 1;
    write_counters(text, active);
  }
  if (!invocations_.empty() && begin(text, spec, "flow_invocations", "Request passes of a flow.")) {
    write_counters(text, invocations_);
  }
  if (!requests_.empty() && begin(text, spec, "requests_through_flows", "Requests that some flow was selected for.")) {
    write_counters(text, requests_);
  }
}

void SystemMetrics::write_times(MetricText& text, const MetricsSpec& spec) const {
  CounterMap flows, processors, runs;
  for (const auto& [name, time] : flows_) flows.at(labels_of(name)) = time.average_ms();
  for (const auto& [key, time] : processors_) {
    const LabelSet labels = labels_of(key.first, key.second);
    processors.at(labels) = time.average_ms();
    runs.at(labels) = static_cast<double>(time.runs);
  }
  if (processors_.empty()) return;
  if (begin(text, spec, "avg_flow_execution_time", "Milliseconds that a run of a flow takes."))
    write_counters(text, flows);
  if (begin(text, spec, "avg_processor_execution_time", "Milliseconds that a run of a processor takes."))
    write_counters(text, processors);
  if (begin(text, spec, "processor_invocation", "Runs of a processor since the start.")) write_counters(text, runs);
}

}  // namespace lunar
