#include "agent/state/record_memory.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lunar {
namespace {

constexpr size_t text_overhead = sizeof(std::string);

size_t memory_of_texts(const std::vector<std::pair<std::string, std::string>>& pairs) {
  size_t out = 0;
  for (const auto& [name, value] : pairs) out += 2 * text_overhead + name.size() + value.size();
  return out;
}

struct Texts {
  size_t operator()(const emission::CaptureHar& capture) const { return capture.entry ? memory_of(*capture.entry) : 0; }
  size_t operator()(const emission::Span& span) const { return memory_of(span); }
  size_t operator()(const emission::UserMetric& metric) const { return memory_of_texts(metric.labels); }
  size_t operator()(const emission::ProcessorFailed& failed) const { return failed.text.size(); }
  size_t operator()(const emission::ScriptFailed& failed) const { return failed.text.size(); }
  size_t operator()(const emission::Shadowed& shadowed) const { return shadowed.decision.size(); }
  size_t operator()(const auto& /*others*/) const { return 0; }  // their texts come from the configuration
};

}  // namespace

size_t memory_of(const Json& document) {
  size_t out = 0;
  std::vector<const Json*> open{&document};
  while (!open.empty()) {
    const Json& value = *open.back();
    open.pop_back();
    out += sizeof(Json);
    if (const auto* text = value.get_ptr<const Json::string_t*>()) out += text_overhead + text->size();
    if (const auto* list = value.get_ptr<const Json::array_t*>())
      for (const Json& one : *list) open.push_back(&one);
    const auto* object = value.get_ptr<const Json::object_t*>();
    if (object == nullptr) continue;
    for (const auto& [name, member] : *object) {
      out += text_overhead + name.size();
      open.push_back(&member);
    }
  }
  return out;
}

size_t memory_of(const emission::Span& span) {
  return sizeof(span) + span.name.size() + span.method.size() + span.url.size() + memory_of_texts(span.attributes);
}

size_t memory_of(const Emission& emission) { return sizeof(emission) + std::visit(Texts{}, emission); }

}  // namespace lunar
