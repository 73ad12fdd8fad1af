// GenerateResponse (flows.md §7.3): answers without the provider. Behind a Limiter or Queue it can say when the next
// try may succeed (our extension `retry_after`; RateLimit fields as in draft-ietf-httpapi-ratelimit-headers).
#include <algorithm>

#include "flowengine/expr/json.h"
#include "flowengine/processors/changes.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

class GenerateResponse final : public Processor {
 public:
  struct Settings {
    int status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    bool retry_after = false;
  };
  explicit GenerateResponse(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    if (context.phase == Phase::response) return outcome::Done{};
    auto response = std::make_unique<Response>();
    response->status = settings_.status;
    response->from_provider = false;
    response->time = context.now.wall;
    for (const auto& [name, value] : settings_.fields) response->add_field(name, value);
    if (settings_.retry_after) add_retry_after(context, *response);
    response->set_body(settings_.body);
    response->size = settings_.body.size();
    context.measure(emission::Meter::generated);
    return outcome::Answer{std::move(response), outcome::unnamed};
  }

 private:
  static void add_retry_after(const Context& context, Response& response) {
    const auto& refusal = context.notes.refusal;
    if (!refusal) return;
    auto wait = std::chrono::ceil<std::chrono::seconds>(refusal->earliest - context.now.steady);
    std::string seconds = std::to_string(std::max<int64_t>(wait.count(), 1));
    response.set_field("Retry-After", seconds);
    if (refusal->limit) response.set_field("RateLimit-Limit", std::to_string(*refusal->limit));
    response.set_field("RateLimit-Remaining", "0");
    response.set_field("RateLimit-Reset", seconds);
  }

  Settings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "status",
     .kind = ParameterKind::integer,
     .fallback = "200",
     .low = 200,
     .high = 599,
     .help = "status code"},
    {.name = "body",
     .kind = ParameterKind::any,
     .fallback = "OK",
     .help = "text; a mapping or list becomes compact JSON"},
    {.name = "Content-Type", .fallback = "text/plain", .help = "of the body"},
    {.name = "retry_after",
     .kind = ParameterKind::boolean,
     .fallback = "false",
     .help = "behind Limiter or Queue: Retry-After and RateLimit-* fields with the time of the next admission"},
};

bool is_header(std::string_view key) {
  return key.contains('-') || (!key.empty() && key.front() >= 'A' && key.front() <= 'Z');
}

void read_fields(Arguments& arguments, GenerateResponse::Settings& settings) {
  for (const Arguments::Given& given : arguments.given()) {
    if (!is_header(given.key) || given.key == "Content-Type" || given.value->kind == Value::Kind::null) continue;
    auto value = arguments.reader().string(*given.value, Reader::Coercion::silent);
    if (!value) continue;
    if (is_hop_by_hop_field(given.key)) {
      arguments.reader().warn(given.key_at, "unknown-parameter",
                              "`" + given.key + "` is the gateway's own and cannot be set");
    } else if (!is_settable_field(given.key, *value)) {
      arguments.reader().error(given.key_at, "bad-type", "`" + given.key + "` cannot be sent as a header field");
    } else if (equal_ignoring_case(given.key, "Content-Type")) {
      settings.fields.front().second = *value;  // one field, however it is written
    } else {
      settings.fields.emplace_back(given.key, *value);
    }
  }
}

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& /*surroundings*/) {
  GenerateResponse::Settings settings;
  settings.status = static_cast<int>(arguments.integer("status"));
  settings.retry_after = arguments.flag("retry_after");
  settings.fields.emplace_back("Content-Type", arguments.text("Content-Type"));
  const Value* body = arguments.value("body");
  if (body == nullptr) {
    settings.body = "OK";
  } else if (body->kind == Value::Kind::scalar) {
    settings.body = arguments.text("body");
  } else {
    settings.body = to_json(*body).dump();
    arguments.reader().warn(body->at, "coerced", describe(*body) + " is sent as compact JSON");
  }
  read_fields(arguments, settings);
  return std::make_unique<GenerateResponse>(std::move(settings));
}

}  // namespace

const ProcessorType generate_response_type{
    .name = "GenerateResponse",
    .help = "answers without the provider",
    .directions = {.request = true},
    .answers = true,
    .silent_in_response = true,
    .parameters = parameters,
    .accepts_key = is_header,
    .create = create,
};

}  // namespace lunar
