// Retry (flows.md §7.5): sends the client's request again, after a wait.
#include <algorithm>
#include <cmath>

#include "flowengine/http_date.h"
#include "flowengine/processors/types.h"
#include "flowengine/quantity.h"

namespace lunar {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::string_view outputs[] = {"retry", "failed"};
constexpr std::string_view backoffs[] = {"linear", "exponential"};
constexpr std::string_view jitters[] = {"none", "full"};
constexpr double longest = 2147483;

struct RetrySettings {
  int64_t attempts = 1;
  double cooldown = 0, multiplier = 0, maximum = longest;
  bool exponential = false, jitter = false, respect_retry_after = true;

  // Before re-send n, counted from 1, without jitter and Retry-After.
  [[nodiscard]] double planned(int64_t n) const {
    double wait = exponential ? cooldown * std::pow(multiplier == 0 ? 2 : multiplier, static_cast<double>(n - 1))
                              : cooldown + static_cast<double>(n) * multiplier;
    return std::min(wait, maximum);
  }
};

class Retry final : public Processor {
 public:
  explicit Retry(RetrySettings settings) : settings_(settings) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    int64_t& used = context.transaction.retries[context.instance].used;
    if (used >= settings_.attempts) return failed(context);
    if (!context.notes.request_replayable) {
      context.emissions.emplace_back(emission::BodyViewSkipped{.response = false, .reason = "body"});
      return failed(context);
    }
    auto wait = wait_before(used + 1, context);
    if (context.transaction.waited + wait > context.transaction.retry_timeout) return failed(context);
    ++used;
    context.measure(emission::Meter::retry);
    return outcome::Retry{wait, 0};
  }

  [[nodiscard]] BodyUse body_use(Phase /*phase*/) const override { return {.keep_request = true}; }

 private:
  [[nodiscard]] Outcome failed(const Context& context) const {
    context.measure(emission::Meter::retry_failed);
    return outcome::Done{1};
  }

  [[nodiscard]] std::chrono::nanoseconds wait_before(int64_t n, const Context& context) const {
    double wait = settings_.planned(n);
    if (settings_.jitter) wait *= context.transaction.dice.roll();
    const HeaderField* field = settings_.respect_retry_after ? context.response->find("retry-after") : nullptr;
    if (field != nullptr) {
      if (auto told = parse_retry_after(field->value, context.now)) wait = std::max(wait, Seconds(*told).count());
    }
    return std::chrono::nanoseconds(static_cast<int64_t>(std::min(wait, settings_.maximum) * 1e9));
  }

  RetrySettings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "attempts",
     .kind = ParameterKind::integer,
     .required = true,
     .fallback = "1",
     .low = 1,
     .help = "re-sends after the first attempt"},
    {.name = "cooldown_between_attempts_seconds",
     .kind = ParameterKind::number,
     .fallback = "0",
     .low = 0,
     .high = longest,
     .help = "wait before the first re-send"},
    {.name = "cooldown_multiplier",
     .kind = ParameterKind::number,
     .fallback = "0",
     .low = 0,
     .high = longest,
     .help = "growth of the wait"},
    {.name = "maximum_cooldown_seconds",
     .kind = ParameterKind::number,
     .fallback = "2147483",
     .low = 0,
     .high = longest,
     .help = "longest wait"},
    {.name = "backoff",
     .kind = ParameterKind::choice,
     .fallback = "linear",
     .choices = backoffs,
     .help = "of the waits"},
    {.name = "jitter",
     .kind = ParameterKind::choice,
     .fallback = "none",
     .choices = jitters,
     .help = "full: uniform between 0 and the wait"},
    {.name = "respect_retry_after",
     .kind = ParameterKind::boolean,
     .fallback = "true",
     .help = "wait at least as long as the provider says"},
};

// All planned waits together. Nobody means more attempts than are added up one by one.
double planned_sum(const RetrySettings& settings) {
  constexpr int64_t most_added = 10'000;
  double sum = 0;
  for (int64_t n = 1; n <= std::min(settings.attempts, most_added); ++n) sum += settings.planned(n);
  const double rest = static_cast<double>(std::max<int64_t>(settings.attempts - most_added, 0));
  return sum + rest * settings.planned(most_added);
}

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  RetrySettings settings{.attempts = arguments.integer("attempts"),
                         .cooldown = arguments.number("cooldown_between_attempts_seconds"),
                         .multiplier = arguments.number("cooldown_multiplier"),
                         .maximum = arguments.number("maximum_cooldown_seconds"),
                         .exponential = arguments.choice("backoff") == 1,
                         .jitter = arguments.choice("jitter") == 1,
                         .respect_retry_after = arguments.flag("respect_retry_after")};
  double limit = Seconds(surroundings.retry_timeout).count();
  bool bounded = arguments.has("maximum_cooldown_seconds") && settings.maximum <= limit;
  double sum = planned_sum(settings);
  if (!bounded && sum > limit) {
    std::string waits = duration_text(std::chrono::milliseconds(static_cast<int64_t>(std::min(sum, 1e12) * 1000)));
    arguments.reader().error(arguments.at("attempts"), "retry-too-long",
                             "the waits come to " + waits + ", above flows.retry_timeout, which is " +
                                 duration_text(surroundings.retry_timeout) + "; set `maximum_cooldown_seconds`");
    return nullptr;
  }
  return std::make_unique<Retry>(settings);
}

}  // namespace

const ProcessorType retry_type{
    .name = "Retry",
    .help = "sends the client's request again",
    .directions = {.response = true},
    .outputs = outputs,
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
