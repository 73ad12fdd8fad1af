#include "agent/state/metric_labels.h"

namespace lunar {
namespace {

std::string value_of(MetricLabel label, const CallView& call, const Instance* of) {
  switch (label) {
    case MetricLabel::flow_name:
      return of == nullptr ? "" : of->flow;
    case MetricLabel::processor_key:
      return of == nullptr ? "" : of->key;
    case MetricLabel::http_method:
      return std::string(call.method);
    case MetricLabel::url:
      return call.full_url();
    case MetricLabel::status_code:
      return std::to_string(call.status);
    case MetricLabel::consumer_tag:
      return std::string(call.consumer_tag);
    case MetricLabel::host:
      return std::string(call.host);
    case MetricLabel::comm:
      return std::string(call.comm);
    case MetricLabel::unit:
      return std::string(call.unit);
    case MetricLabel::container:
      return std::string(call.container);
  }
  return "";
}

}  // namespace

void add_labels(LabelSet& labels, std::span<const MetricLabel> chosen, const CallView& call, const Instance* of) {
  for (const MetricLabel label : chosen) labels.add(metric_label_name(label), value_of(label, call, of));
}

}  // namespace lunar
