// UserDefinedMetrics (flows.md §7.11): one sample of a metric that the operator has named.
#include <algorithm>

#include "flowengine/processors/types.h"
#include "flowengine/processors/user_metrics.h"

namespace lunar {
namespace {

constexpr std::string_view kinds[] = {"counter", "up_down_counter", "gauge", "histogram"};

bool is_metric_name(std::string_view name) {
  auto letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (name.empty() || !(letter(name.front()) || name.front() == '_')) return false;
  return std::ranges::all_of(name, [&](char c) { return letter(c) || c == '_' || (c >= '0' && c <= '9'); });
}

}  // namespace

UserMetrics::UserMetrics(UserMetricDefinition definition, Source source)
    : definition_(std::move(definition)), source_(std::move(source)) {}

Outcome UserMetrics::run(Context& context) const {
  bool of_response = context.phase == Phase::response;
  bool waits = of_response && (source_.size || needs_response_body());
  if (waits) {
    context.observe_end();
  } else {
    sample(context);
  }
  return outcome::Done{};
}

void UserMetrics::observed(Context& context, bool /*complete*/) const { sample(context); }

BodyUse UserMetrics::body_use(Phase phase) const {
  bool request_body = source_.path && source_.path->root() == Root::request && source_.path->needs_body();
  for (const auto& [name, path] : definition_.custom_labels)
    request_body = request_body || (path.root() == Root::request && path.needs_body());
  return {.hold_request = request_body, .copy_response = phase == Phase::response && needs_response_body()};
}

bool UserMetrics::needs_response_body() const {
  auto needs = [](const Expression& path) {
    return path.root() == Root::response && (path.needs_body() || path.needs_usage());
  };
  return (source_.path && needs(*source_.path)) ||
         std::ranges::any_of(definition_.custom_labels, [&](const auto& label) { return needs(label.second); });
}

void UserMetrics::sample(Context& context) const {
  double amount = 1;
  if (source_.size) {
    const Message& message = context.response != nullptr ? static_cast<const Message&>(*context.response)
                                                         : static_cast<const Message&>(context.request);
    amount = static_cast<double>(message.size.value_or(0));
  } else if (source_.path) {
    auto number = source_.path->first_number(context.view);
    if (!number) {
      context.emissions.emplace_back(emission::UserMetricSkipped{context.instance});
      return;
    }
    amount = *number;
  }
  emission::UserMetric out{.instance = context.instance, .value = amount};
  for (const auto& [name, path] : definition_.custom_labels)
    out.labels.emplace_back(name, path.first_text(context.view).value_or(""));
  context.emissions.emplace_back(std::move(out));
}

namespace {

constexpr Parameter parameters[] = {
    {.name = "metric_name", .required = true, .help = "exported as lunar_<name>"},
    {.name = "metric_type", .kind = ParameterKind::choice, .fallback = "counter", .choices = kinds, .help = "its kind"},
    {.name = "metric_value", .fallback = "api_call_count", .help = "api_call_count, api_call_size or a JSONPath"},
    {.name = "labels", .kind = ParameterKind::texts, .help = "as in `metrics.labels`"},
    {.name = "custom_metric_labels", .kind = ParameterKind::map, .help = "label -> JSONPath"},
    {.name = "buckets", .kind = ParameterKind::numbers, .help = "ascending bounds, of a histogram"},
};

void read_labels(Arguments& arguments, UserMetricDefinition& out) {
  for (const std::string& name : arguments.texts("labels")) {
    if (auto label = metric_label(name)) {
      out.labels.push_back(*label);
    } else {
      arguments.reader().warn(arguments.at("labels"), "unknown-parameter", "there is no label \"" + name + "\"");
    }
  }
}

bool read_custom_labels(Arguments& arguments, UserMetricDefinition& out) {
  bool good = true;
  for (const Entry* entry : arguments.map("custom_metric_labels")) {
    auto text = arguments.reader().string(entry->value);
    auto path = text ? expression_argument(entry->value, *text, arguments.reader()) : std::nullopt;
    if (path && !is_metric_name(entry->key)) {
      arguments.reader().error(entry->key_at, "bad-type", "`" + entry->key + "` is no name of a label");
      path.reset();
    }
    good = good && path;
    if (path) out.custom_labels.emplace_back(entry->key, *std::move(path));
  }
  return good;
}

bool read_buckets(Arguments& arguments, UserMetricDefinition& out) {
  if (!arguments.has("buckets")) return true;
  if (out.kind != UserMetricDefinition::Kind::histogram) {
    arguments.reader().warn(arguments.at("buckets"), "unknown-parameter",
                            "`buckets` has an effect on histograms alone");
    return true;
  }
  out.buckets = arguments.numbers("buckets");
  if (!out.buckets.empty() && std::ranges::adjacent_find(out.buckets, std::greater_equal{}) == out.buckets.end())
    return true;
  arguments.reader().error(arguments.at("buckets"), "out-of-range", "`buckets` must be ascending");
  return false;
}

std::optional<UserMetrics::Source> read_value(Arguments& arguments) {
  UserMetrics::Source out;
  std::string text = arguments.text("metric_value");
  out.size = text == "api_call_size";
  if (out.size || text == "api_call_count") return out;
  const Value* at = arguments.value("metric_value");
  out.path = expression_argument(*at, text, arguments.reader());
  return out.path ? std::optional(std::move(out)) : std::nullopt;
}

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  if (!arguments.has("metric_name")) return nullptr;
  UserMetricDefinition out{.name = arguments.text("metric_name")};
  size_t kind = arguments.choice("metric_type");
  out.kind = static_cast<UserMetricDefinition::Kind>(kind);
  if (!is_metric_name(out.name)) {
    arguments.reader().error(arguments.at("metric_name"), "out-of-range",
                             "\"" + out.name + "\" does not look like [A-Za-z_][A-Za-z0-9_]*");
    return nullptr;
  }
  auto [known, added] = surroundings.metric_types.try_emplace(out.name, kinds[kind]);
  if (known->second != kinds[kind]) {
    arguments.reader().error(arguments.at("metric_type"), "bad-type",
                             "metric \"" + out.name + "\" is a " + known->second + " in another processor");
    return nullptr;
  }
  auto value = read_value(arguments);
  read_labels(arguments, out);
  bool good = read_custom_labels(arguments, out);
  good = read_buckets(arguments, out) && good;
  if (!value || !good) return nullptr;
  return std::make_unique<UserMetrics>(std::move(out), *std::move(value));
}

}  // namespace

const ProcessorType user_metrics_type{
    .name = "UserDefinedMetrics",
    .help = "samples a metric of your own",
    .directions = {.request = true, .response = true},
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
