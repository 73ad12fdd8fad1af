#include "flowengine/run/context.h"

#include "flowengine/processors/processor.h"

namespace lunar {
namespace {

// splitmix64: one multiplication chain, good enough for samples and jitter.
uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

double unit(uint64_t value) { return static_cast<double>(value >> 11) * 0x1.0p-53; }

}  // namespace

uint64_t Dice::next() { return mixed(state_ += 0x9e3779b97f4a7c15ULL); }

double Dice::roll() { return unit(next()); }

double Dice::kept_roll(std::string_view name) {
  uint64_t hash = seed_ ^ 0xcbf29ce484222325ULL;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return unit(mixed(hash));
}

void Context::measure(emission::Meter meter, double amount) const {
  if (!plan.instances[instance].measured) return;
  emissions.emplace_back(emission::Measure{.meter = meter, .instance = instance, .amount = amount});
}

void Context::observe_end() const {
  notes.observers.push_back(instance);
  notes.observer_flows.push_back(flow);
}

size_t CachedResponse::bytes() const {
  size_t sum = body.size() + sizeof(CachedResponse);
  for (const auto& [name, value] : fields) sum += name.size() + value.size() + 2 * sizeof(std::string);
  return sum;
}

}  // namespace lunar
