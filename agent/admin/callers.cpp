#include "agent/admin/callers.h"

#include "agent/base/json_text.h"
#include "agent/base/metric_text.h"

namespace lunar::admin {
namespace {

void add_member(std::string& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  json += ",\"";
  json += name;
  json += "\":";
  append_json_string(json, value);
}

}  // namespace

Caller describe(const Process& process) {
  Caller caller{.pid = process.pid, .comm = process.comm, .unit = process.unit, .container = process.container};
  append_label(caller.metric_labels, "comm", process.comm);
  append_label(caller.metric_labels, "unit", process.unit);
  append_label(caller.metric_labels, "container", process.container);
  if (process.pid == 0) return caller;
  std::string& json = caller.process_json;
  json = "{\"pid\":" + std::to_string(process.pid) + ",\"uid\":" + std::to_string(process.uid);
  add_member(json, "comm", process.comm);
  add_member(json, "exe", process.exe);
  add_member(json, "cgroup", process.cgroup);
  add_member(json, "unit", process.unit);
  add_member(json, "container", process.container);
  json += '}';
  return caller;
}

const Caller& Callers::find(const TransactionRecord& record) {
  const Key key{record.pid, record.process_started_ns, record.cgroup_id};
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  // Begun anew rather than aged: the processes that are active come back within one request each.
  if (known_.size() >= capacity_) known_.clear();
  if (record.pid == 0) return known_.emplace(key, describe({})).first->second;
  Origin origin;
  origin.destination = record.destination;
  origin.pid = record.pid;
  origin.uid = record.uid;
  origin.cgroup_id = record.cgroup_id;
  origin.comm = record.comm;
  origin.start_ns = record.process_started_ns;
  return known_.emplace(key, describe(attribution_.resolve(origin))).first->second;
}

}  // namespace lunar::admin
