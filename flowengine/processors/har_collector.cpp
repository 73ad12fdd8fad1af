// HARCollector (flows.md §7.10): the transaction as a line of a HAR file.
#include <algorithm>

#include "flowengine/processors/har_entry.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

struct HarSettings {
  std::string exporter;
  int64_t largest = 32768;
  Obfuscation obfuscation;
};

class HarCollector final : public Processor {
 public:
  explicit HarCollector(HarSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    context.observe_end();
    return outcome::Done{};
  }

  void observed(Context& context, bool /*complete*/) const override {
    uint64_t size = context.request.size.value_or(0) + context.response->size.value_or(0);
    if (size > static_cast<uint64_t>(settings_.largest)) {
      context.emissions.emplace_back(emission::BodyViewSkipped{.response = true, .reason = "har_size"});
      return;
    }
    auto entry = std::make_shared<Json>(har_entry(context, settings_.obfuscation));
    context.emissions.emplace_back(emission::CaptureHar{.exporter = settings_.exporter,
                                                        .flow = context.plan.flows[context.flow].name,
                                                        .entry = std::move(entry),
                                                        .instance = context.instance});
  }

  [[nodiscard]] BodyUse body_use(Phase /*phase*/) const override {
    return {.keep_request = true, .copy_response = true, .copy_request = true};
  }

 private:
  HarSettings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "exporter_id", .required = true, .help = "an exporter of gateway_config.yaml"},
    {.name = "transaction_max_size_bytes",
     .kind = ParameterKind::integer,
     .fallback = "32768",
     .low = 1,
     .help = "larger transactions are dropped and counted"},
    {.name = "obfuscate_enabled",
     .kind = ParameterKind::boolean,
     .fallback = "false",
     .help = "values become their SHA-256"},
    {.name = "obfuscate_exclusions", .kind = ParameterKind::texts, .help = "JSONPaths of values that stay readable"},
};

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  if (!arguments.has("exporter_id")) return nullptr;
  HarSettings settings{.exporter = arguments.text("exporter_id"),
                       .largest = arguments.integer("transaction_max_size_bytes")};
  const auto& unsupported = surroundings.unsupported_exporters;
  if (std::ranges::find(unsupported, settings.exporter) != unsupported.end()) {
    arguments.reader().error(
        arguments.at("exporter_id"), "exporter-unsupported",
        "exporter \"" + settings.exporter + "\" is not available in this version; use exporters.file");
    return nullptr;
  }
  if (settings.exporter != surroundings.file_exporter) {
    arguments.reader().warn(arguments.at("exporter_id"), "exporter-unknown",
                            "there is no exporter \"" + settings.exporter + "\"; exporters.file is used");
    settings.exporter = surroundings.file_exporter;
  }
  settings.obfuscation.enabled = arguments.flag("obfuscate_enabled");
  const Value* list = arguments.value("obfuscate_exclusions");
  auto items = list == nullptr ? std::nullopt : arguments.reader().list(*list);
  bool good = true;
  for (const Value* item : items.value_or(std::vector<const Value*>{})) {
    auto text = arguments.reader().string(*item);
    auto path = text ? expression_argument(*item, *text, arguments.reader()) : std::nullopt;
    good = good && path;
    if (path) settings.obfuscation.exclusions.push_back(*std::move(path));
  }
  return good ? std::make_unique<HarCollector>(std::move(settings)) : nullptr;
}

}  // namespace

const ProcessorType har_collector_type{
    .name = "HARCollector",
    .help = "writes the transaction to a HAR file",
    .directions = {.response = true},
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
