#include "agent/state/system_metrics.h"

#include <algorithm>

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
  std::erase_if(flows_, [&](const auto& one) {
    return std::ranges::find(plan_->flows, one.first, &Flow::name) == plan_->flows.end();
  });
  std::erase_if(processors_, [&](const auto& one) {
    const auto same = [&](const Instance& instance) {
      return instance.flow == one.first.first && instance.key == one.first.second;
    };
    return std::ranges::none_of(plan_->instances, same);
  });
}

void SystemMetrics::add(const FlowRecord& record) {
  const CallFacts& facts = record.facts;
  LabelSet call;
  call.add("http_method", facts.method);
  call.add("host", facts.host);
  call.add("consumer_tag", facts.consumer_tag);
  for (const Emission& emission : record.emissions) {
    const auto* ran = std::get_if<emission::FlowRan>(&emission);
    if (ran == nullptr) continue;
    const std::string& name = record.plan->flows[ran->flow].name;
    LabelSet labels;
    labels.add("flow_name", name);
    labels.add("http_method", facts.method);
    labels.add("host", facts.host);
    labels.add("consumer_tag", facts.consumer_tag);
    ++invocations_.at(labels);
    ++flows_[name].runs;
  }
  // A replay is another attempt of one request.
  if (!record.flows.empty() && facts.attempt == 0) ++requests_.at(call);
  add_steps(record);
}

void SystemMetrics::add_steps(const FlowRecord& record) {
  for (const RunTime& step : record.steps) {
    const Instance& instance = record.plan->instances[step.instance];
    flows_[record.plan->flows[step.flow].name].spent += step.spent;
    Time& time = processors_[{instance.flow, instance.key}];
    ++time.runs;
    time.spent += step.spent;
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
