#include "agent/state/flow_metrics.h"

#include <algorithm>
#include <optional>

namespace lunar {
namespace {

// Of a node without a group that was counted, where its definition has one.
std::optional<int64_t> defined_limit(const Plan* plan, std::string_view id) {
  const auto node = plan == nullptr ? std::nullopt : plan->quota_node(id);
  if (!node) return std::nullopt;
  const auto& strategy = plan->quotas.nodes[*node].strategy;
  if (const auto* window = std::get_if<FixedWindow>(&strategy)) return window->max;
  if (const auto* slots = std::get_if<Concurrent>(&strategy)) return slots->max_requests;
  return std::nullopt;
}

std::optional<int64_t> limit_of(const Plan* plan, const NodeView& node) {
  if (node.groups.empty()) return defined_limit(plan, node.id);
  return std::ranges::max(node.groups, {}, &GroupView::limit).limit;
}

LabelSet labels_of(const Instance& instance) {
  LabelSet out;
  out.add("flow_name", instance.flow);
  out.add("processor_key", instance.key);
  return out;
}

}  // namespace

void FlowMetrics::set_plan(std::shared_ptr<const Plan> plan, std::shared_ptr<const MetricsSpec> spec) {
  plan_ = std::move(plan);
  spec_ = spec != nullptr ? std::move(spec) : std::make_shared<const MetricsSpec>();
  system_.set_plan(plan_);
  processors_.set_plan(plan_);
  user_.set_plan(*plan_);
}

void FlowMetrics::add(const FlowRecord& record) {
  processors_.add(record);
  user_.add(record);
  for (const Emission& emission : record.emissions) count(*record.plan, emission);
}

void FlowMetrics::count(const Plan& plan, const Emission& emission) {
  LabelSet labels;
  if (const auto* failed = std::get_if<emission::ProcessorFailed>(&emission)) {
    labels = labels_of(plan.instances[failed->instance]);
    labels.add("reason", failed->reason);
    ++failures_.at(labels);
  } else if (const auto* script = std::get_if<emission::ScriptFailed>(&emission)) {
    ++script_failures_.at(labels_of(plan.instances[script->instance]));
  } else if (const auto* shadowed = std::get_if<emission::Shadowed>(&emission)) {
    labels.add("flow_name", plan.flows[shadowed->flow].name);
    ++shadow_decisions_.at(labels);
  } else if (const auto* skipped = std::get_if<emission::BodyViewSkipped>(&emission)) {
    labels.add("phase", skipped->response ? "response" : "request");
    labels.add("reason", skipped->reason);
    ++views_skipped_.at(labels);
  }
}

void FlowMetrics::add_har_bytes(const FlowRecord& record, uint32_t instance, size_t bytes) {
  processors_.add(record,
                  emission::Measure{
                      .meter = emission::Meter::har_bytes, .instance = instance, .amount = static_cast<double>(bytes)});
}

void FlowMetrics::write(MetricText& text, const FlowGauges& now) {
  system_.write(text, *spec_);
  processors_.write(text, now.lines);
  write_quotas(text, now.quotas);
  write_counts(text);
  user_.write(text);
}

void FlowMetrics::write_counts(MetricText& text) const {
  if (!failures_.empty()) {
    text.family("lunar_processor_failures_total", MetricKind::counter, "Runs of processors that failed.");
    write_counters(text, failures_);
  }
  if (!script_failures_.empty()) {
    text.family("lunar_script_failures_total", MetricKind::counter, "Scripts that answered `failure`.");
    write_counters(text, script_failures_);
  }
  if (!shadow_decisions_.empty()) {
    text.family("lunar_shadow_decisions_total", MetricKind::counter,
                "What flows in shadow mode would have answered or sent again.");
    write_counters(text, shadow_decisions_);
  }
  if (!views_skipped_.empty()) {
    text.family("lunar_body_view_skipped_total", MetricKind::counter, "Bodies that a flow needed and could not see.");
    write_counters(text, views_skipped_);
  }
  if (!store_failures_.empty()) {
    text.family("lunar_store_failures_total", MetricKind::counter, "Decisions made without the shared store.");
    for (const auto& [policy, count] : store_failures_) text.sample(static_cast<double>(count), {{"policy", policy}});
  }
  if (!reloads_.empty()) {
    text.family("lunar_config_reloads_total", MetricKind::counter, "Reloads of the configuration.");
    for (const auto& [result, count] : reloads_) text.sample(static_cast<double>(count), {{"result", result}});
  }
  text.family("lunar_config_skipped_files", MetricKind::gauge, "Files that are not in effect since the start.");
  text.sample(static_cast<double>(skipped_files_));
}

void FlowMetrics::write_quotas(MetricText& text, std::span<const NodeView> quotas) const {
  if (quotas.empty()) return;
  text.family("lunar_resources_quota_resource_quota_limit", MetricKind::gauge, "What the current window admits.");
  CounterMap limits;
  for (const NodeView& node : quotas) {
    LabelSet labels;
    labels.add("quota_id", node.id);
    if (const auto limit = limit_of(plan_.get(), node)) limits.at(labels) = static_cast<double>(*limit);
  }
  write_counters(text, limits);
  text.family("lunar_resources_quota_resource_quota_used", MetricKind::gauge,
              "What was used of the current window, also above the limit.");
  CounterMap used;  // texts that are equal once they are cut are one series
  for (const NodeView& node : quotas) {
    for (const GroupView& group : node.groups) {
      LabelSet labels;
      labels.add("quota_id", node.id);
      labels.add("group_id", node.id + "_" + group.group);
      used.at(labels) += static_cast<double>(group.used);
    }
  }
  write_counters(text, used);
}

}  // namespace lunar
