// Limiter (flows.md §7.1), QuotaProcessorInc and QuotaProcessorDec (§7.13): one acquire, with or without an output.
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr std::string_view limiter_outputs[] = {"below_limit", "above_limit"};
constexpr OutputAlias limiter_aliases[] = {
    {"allow", "below_limit"}, {"allowed", "below_limit"}, {"block", "above_limit"}, {"blocked", "above_limit"}};

class Limiter final : public Processor {
 public:
  explicit Limiter(uint32_t node) : node_(node) {}

  [[nodiscard]] Outcome run(Context& /*context*/) const override { return outcome::AskQuota{node_}; }

  [[nodiscard]] Outcome resume(Context& context, Reply& reply) const override {
    bool admitted = std::get<reply::Admitted>(reply).admitted;
    context.measure(admitted ? emission::Meter::limiter_below : emission::Meter::limiter_above);
    return outcome::Done{static_cast<int16_t>(admitted ? 0 : 1)};
  }

 private:
  uint32_t node_;
};

class QuotaInc final : public Processor {
 public:
  explicit QuotaInc(uint32_t node) : node_(node) {}
  [[nodiscard]] Outcome run(Context& /*context*/) const override { return outcome::AskQuota{node_}; }
  [[nodiscard]] Outcome resume(Context& /*context*/, Reply& /*reply*/) const override { return outcome::Done{}; }

 private:
  uint32_t node_;
};

class QuotaDec final : public Processor {
 public:
  explicit QuotaDec(uint32_t node) : node_(node) {}
  [[nodiscard]] Outcome run(Context& context) const override {
    context.emissions.emplace_back(emission::ReleaseSlot{node_});
    return outcome::Done{};
  }

 private:
  uint32_t node_;
};

class NoEffect final : public Processor {
 public:
  [[nodiscard]] Outcome run(Context& /*context*/) const override { return outcome::Done{}; }
};

constexpr Parameter limiter_parameters[] = {
    {.name = "quota_id", .required = true, .help = "the quota or internal limit to acquire from"},
    {.name = "header", .kind = ParameterKind::any, .help = "accepted without effect"},
    {.name = "limit_per_min", .kind = ParameterKind::any, .help = "accepted without effect"},
};
constexpr Parameter step_parameters[] = {
    {.name = "quota_id", .required = true, .help = "the quota or internal limit"},
    {.name = "should_apply_logic", .kind = ParameterKind::boolean, .fallback = "true", .help = "false: no effect"},
};

std::unique_ptr<const Processor> create_limiter(Arguments& arguments, Surroundings& surroundings) {
  for (std::string_view unused : {"header", "limit_per_min"}) {
    if (arguments.has(unused))
      arguments.reader().warn(arguments.at(unused), "unknown-parameter",
                              "`" + std::string(unused) + "` has no effect; limits are declared in quotas/");
  }
  auto node = quota_argument(arguments, surroundings);
  return node ? std::make_unique<Limiter>(*node) : nullptr;
}

template <class Step>
std::unique_ptr<const Processor> create_step(Arguments& arguments, Surroundings& surroundings) {
  auto node = quota_argument(arguments, surroundings);
  bool applies = arguments.flag("should_apply_logic");
  if (!node) return nullptr;
  if (!applies) return std::make_unique<NoEffect>();
  return std::make_unique<Step>(*node);
}

}  // namespace

const ProcessorType limiter_type{
    .name = "Limiter",
    .help = "asks a quota whether the request may go on",
    .directions = {.request = true},
    .outputs = limiter_outputs,
    .aliases = limiter_aliases,
    .parameters = limiter_parameters,
    .create = create_limiter,
};
const ProcessorType quota_inc_type{
    .name = "QuotaProcessorInc",
    .help = "acquires from a quota, whatever the outcome",
    .directions = {.request = true, .response = true},
    .parameters = step_parameters,
    .create = create_step<QuotaInc>,
};
const ProcessorType quota_dec_type{
    .name = "QuotaProcessorDec",
    .help = "releases this transaction's concurrency slot",
    .directions = {.request = true, .response = true},
    .parameters = step_parameters,
    .create = create_step<QuotaDec>,
};

}  // namespace lunar
