#include "flowengine/processors/types.h"

namespace lunar {

Json to_json(const Value& value) {
  using Kind = Value::Kind;
  if (value.kind == Kind::list) {
    Json out = Json::array();
    for (const Value& item : value.items) out.push_back(to_json(item));
    return out;
  }
  if (value.kind == Kind::map) {
    Json out = Json::object();
    for (const Entry& entry : value.entries) out[entry.key] = to_json(entry.value);
    return out;
  }
  if (value.kind == Kind::null) return nullptr;
  if (value.type == Value::ScalarType::string) return value.text;
  Json parsed = Json::parse(value.text, nullptr, false);
  return parsed.is_discarded() ? Json(value.text) : parsed;
}

std::optional<uint32_t> quota_argument(Arguments& arguments, Surroundings& surroundings) {
  const Value* value = arguments.value("quota_id");
  if (value == nullptr) return std::nullopt;  // said already: param-required
  std::string id = arguments.text("quota_id");
  auto node = surroundings.quota_node(id);
  if (node) {
    surroundings.refer_to_quota(*node);
    return node;
  }
  std::string why = surroundings.quota_file_skipped(id) ? ", because its file has errors" : "";
  arguments.reader().error(value->at, "quota-not-found", "there is no quota \"" + id + "\"" + why);
  return std::nullopt;
}

std::optional<Expression> expression_argument(const Value& value, std::string_view text, Reader& reader) {
  auto parsed = Expression::parse(text);
  if (parsed) return *std::move(parsed);
  const auto& fault = parsed.error();
  reader.error(value.at, fault.id,
               "\"" + std::string(text) + "\": " + fault.text + " (offset " + std::to_string(fault.offset) + ")");
  return std::nullopt;
}

}  // namespace lunar
