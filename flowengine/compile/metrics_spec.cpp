#include "flowengine/compile/metrics_spec.h"

#include <algorithm>
#include <array>

#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"

namespace lunar {
namespace {

constexpr std::array<std::string_view, 8> label_names{"http_method",  "url",  "host", "status_code",
                                                      "consumer_tag", "comm", "unit", "container"};
constexpr std::array<std::string_view, 4> general_names{"api_call_count", "api_call_size", "transaction_duration",
                                                        "provider_transaction_duration"};
constexpr std::array<std::string_view, 6> system_names{"active_flows",
                                                       "flow_invocations",
                                                       "requests_through_flows",
                                                       "avg_flow_execution_time",
                                                       "avg_processor_execution_time",
                                                       "processor_invocation"};

class MetricsReader {
 public:
  MetricsReader(MetricsSpec& out, Diagnostics& findings) : out_(out), reader_(metrics_file_name, findings) {}

  void read(const Value& document) {
    constexpr std::string_view keys[] = {"general_metrics", "system_metrics", "labeled_endpoints"};
    if (!reader_.map(document)) return;
    reader_.warn_unknown_keys(document, keys);
    out_.everything = false;
    if (const Value* general = document.get("general_metrics")) read_general(*general);
    if (const Value* system = document.get("system_metrics")) read_metrics(*system, system_names, false, out_.system);
    if (const Value* endpoints = document.get("labeled_endpoints")) read_endpoints(*endpoints);
  }

 private:
  void read_general(const Value& general) {
    constexpr std::string_view keys[] = {"label_value", "metric_value"};
    if (!reader_.map(general)) return;
    reader_.warn_unknown_keys(general, keys);
    const Value* labels = general.get("label_value");
    auto items = labels == nullptr ? std::nullopt : reader_.list(*labels);
    for (const Value* item : items.value_or(std::vector<const Value*>{})) {
      auto name = reader_.string(*item);
      if (!name) continue;
      auto label = std::ranges::find(label_names, *name) == label_names.end() ? std::nullopt : metric_label(*name);
      if (label) {
        out_.labels.push_back(*label);
      } else {
        reader_.warn(item->at, "unknown-key", "there is no label \"" + *name + "\"; it is ignored");
      }
    }
    if (const Value* metrics = general.get("metric_value")) read_metrics(*metrics, general_names, true, out_.general);
  }

  void read_metrics(const Value& list, std::span<const std::string_view> names, bool with_buckets,
                    std::map<std::string, MetricSelection, std::less<>>& out) {
    constexpr std::string_view keys[] = {"name", "description", "buckets"};
    auto items = reader_.list(list);
    for (const Value* item : items.value_or(std::vector<const Value*>{})) {
      if (!reader_.map(*item)) continue;
      reader_.warn_unknown_keys(*item, keys);
      const Value* name = item->get("name");
      if (name == nullptr) {
        reader_.error(item->at, "param-entry", "`name` is required here");
        continue;
      }
      auto text = reader_.string(*name);
      if (!text) continue;
      if (std::ranges::find(names, *text) == names.end()) {
        reader_.warn(name->at, "unknown-key", "there is no metric \"" + *text + "\"; it is ignored");
        continue;
      }
      MetricSelection& selected = out[*text];
      if (const Value* description = item->get("description"))
        selected.description = reader_.string(*description).value_or("");
      if (const Value* buckets = item->get("buckets"); buckets != nullptr && with_buckets)
        read_buckets(*buckets, selected);
    }
  }

  void read_buckets(const Value& list, MetricSelection& out) {
    auto items = reader_.list(list);
    for (const Value* item : items.value_or(std::vector<const Value*>{}))
      if (auto bound = reader_.number(*item)) out.buckets.push_back(*bound);
    if (std::ranges::adjacent_find(out.buckets, std::greater_equal{}) != out.buckets.end())
      reader_.error(list.at, "out-of-range", "`buckets` must be ascending");
  }

  void read_endpoints(const Value& list) {
    auto items = reader_.list(list);
    for (const Value* item : items.value_or(std::vector<const Value*>{})) {
      auto text = reader_.string(*item);
      auto pattern = text ? std::optional(UrlPattern::parse(*text)) : std::nullopt;
      if (!pattern) continue;
      if (*pattern) {
        out_.labeled_endpoints.push_back(**std::move(pattern));
      } else {
        reader_.error(item->at, pattern->error().id,
                      "\"" + *text + "\": " + pattern->error().text + " (offset " +
                          std::to_string(pattern->error().offset) + ")");
      }
    }
  }

  MetricsSpec& out_;
  Reader reader_;
};

}  // namespace

MetricsSpec read_metrics_spec(std::string_view text, Diagnostics& findings) {
  MetricsSpec out;
  auto document = read_document(metrics_file_name, text, findings);
  if (document && document->kind != Value::Kind::null) MetricsReader(out, findings).read(*document);
  return out;
}

}  // namespace lunar
