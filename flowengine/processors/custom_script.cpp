// CustomScript (flows.md §7.8): JavaScript over the message, run by a sandboxed process of the agent.
#include <algorithm>

#include "flowengine/expr/json.h"
#include "flowengine/expr/query_string.h"
#include "flowengine/processors/changes.h"
#include "flowengine/processors/types.h"
#include "flowengine/script/syntax.h"

namespace lunar {
namespace {

constexpr std::string_view outputs[] = {"success", "failure"};
constexpr int16_t success = 0;
constexpr int16_t failure = 1;

Json headers_of(const Message& message) {
  Json out = Json::object();
  for (const HeaderField& field : message.fields) {
    std::string name = lower_case(field.name);
    if (!out.contains(name)) out[name] = std::string(field.value);
  }
  return out;
}

void add_body(Json& out, const Message& message) {
  if (message.body) out["body"] = std::string(*message.body);
}

Json describe_request(const Context& context) {
  const Request& request = context.request;
  Json out{{"id", request.id},
           {"sequence_id", request.sequence_id},
           {"method", request.method},
           {"url", request.url()},
           {"scheme", scheme_name(request.scheme)},
           {"host", request.host},
           {"path", request.path},
           {"query", request.query},
           {"headers", headers_of(request)}};
  Json params = Json::object();
  for (const auto& [name, value] : parse_query_string(request.query))
    if (!params.contains(name)) params[name] = value;
  out["query_param"] = std::move(params);
  Json path_params = Json::object();
  for (const auto& [name, value] : path_params_of(context.view)) path_params[name] = value;
  out["path_params"] = std::move(path_params);
  if (!request.consumer_tag.empty()) out["consumer_tag"] = request.consumer_tag;
  add_body(out, request);
  return out;
}

Json describe_response(const Context& context) {
  Json out{{"status", context.response->status}, {"headers", headers_of(*context.response)}};
  add_body(out, *context.response);
  return out;
}

struct FieldChange {
  std::string name;
  std::optional<std::string> value;  // missing: the field goes
};

// What a script left of the header fields; nothing where one of them cannot be sent. Hop-by-hop fields stay as they
// are (flows.md §6.7).
std::optional<std::vector<FieldChange>> field_changes(const Message& message, const Json& left) {
  std::vector<FieldChange> out;
  if (!left.is_object()) return std::nullopt;
  const Json before = headers_of(message);
  for (const auto& [name, value] : left.items()) {
    const std::string text = json_text(value);
    if ((before.contains(name) && before[name] == text) || is_hop_by_hop_field(name)) continue;
    if (value.is_structured() || value.is_null() || !is_settable_field(name, text)) return std::nullopt;
    out.push_back({name, text});
  }
  for (const auto& [name, value] : before.items())
    if (!left.contains(name) && !is_hop_by_hop_field(name)) out.push_back({name, std::nullopt});
  return out;
}

void apply_fields(Message& message, const std::vector<FieldChange>& changes) {
  for (const FieldChange& one : changes) {
    if (one.value) {
      message.set_field(one.name, *one.value);
    } else {
      message.remove_field(one.name);
    }
  }
}

class CustomScript final : public Processor {
 public:
  explicit CustomScript(effect::RunScript call) : call_(std::move(call)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    effect::RunScript call = call_;
    call.request = describe_request(context).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (context.phase == Phase::response)
      call.response = describe_response(context).dump(-1, ' ', false, Json::error_handler_t::replace);
    return call;
  }

  [[nodiscard]] Outcome resume(Context& context, Reply& reply) const override {
    const auto& scripted = std::get<reply::Scripted>(reply);
    std::string problem = scripted.error.value_or("");
    auto changes = scripted.error ? std::nullopt : parse_json(scripted.changes);
    bool understood = changes && changes->is_object();
    if (!scripted.error && !(understood && apply(context, *changes))) problem = "a changed member cannot be sent";
    if (problem.empty()) return outcome::Done{success};
    context.emissions.emplace_back(emission::ScriptFailed{context.instance, std::move(problem)});
    return outcome::Done{failure};
  }

  [[nodiscard]] BodyUse body_use(Phase phase) const override {
    return {.hold_request = phase == Phase::request, .hold_response = phase == Phase::response};
  }

 private:
  // All of them or none.
  static bool apply(Context& context, const Json& changes) {
    bool of_response = context.phase == Phase::response;
    Message& message = of_response ? static_cast<Message&>(*context.response) : context.request;
    std::vector<FieldChange> fields;
    if (auto left = changes.find("headers"); left != changes.end()) {
      auto read = field_changes(message, *left);
      if (!read) return false;
      fields = *std::move(read);
    }
    if (!(of_response ? apply_status(*context.response, changes) : apply_target(context.request, changes)))
      return false;
    apply_fields(message, fields);
    if (auto body = changes.find("body"); body != changes.end()) message.set_body(json_text(*body));
    context.view.request_changed();
    if (of_response) context.view.response_changed();
    return true;
  }

  static bool apply_target(Request& request, const Json& changes) {
    const std::string_view before_path = request.path;
    const std::string_view before_query = request.query;
    auto text = [&changes](const char* name) {
      auto found = changes.find(name);
      return found == changes.end() ? std::nullopt : std::optional(json_text(*found));
    };
    auto path = text("path");
    auto query = text("query");
    auto host = text("host");
    bool good = (!path || set_path(request, *path)) && (!query || set_query(request, *query)) &&
                (!host || set_host(request, *host));
    if (good) return true;
    request.path = before_path;
    request.query = before_query;
    return false;
  }

  static bool apply_status(Response& response, const Json& changes) {
    auto found = changes.find("status");
    if (found == changes.end()) return true;
    auto status = json_integer(*found);
    if (!status || *status < 200 || *status > 599) return false;
    response.status = static_cast<int>(*status);
    response.head_changed = true;
    return true;
  }

  effect::RunScript call_;
};

constexpr Parameter parameters[] = {
    {.name = "script_text", .required = true, .help = "the body of a JavaScript function without arguments"},
    {.name = "timeout_ms",
     .kind = ParameterKind::integer,
     .fallback = "50",
     .low = 1,
     .high = 1000,
     .help = "CPU time of one call"},
    {.name = "max_heap_mb",
     .kind = ParameterKind::integer,
     .fallback = "16",
     .low = 1,
     .high = 256,
     .help = "memory of one call"},
};

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& /*surroundings*/) {
  effect::RunScript call{.text = arguments.text("script_text"),
                         .cpu_time = std::chrono::milliseconds(arguments.integer("timeout_ms")),
                         .heap_bytes = arguments.integer("max_heap_mb") * 1024 * 1024};
  if (!arguments.has("script_text")) return nullptr;
  if (auto fault = check_syntax(call.text)) {
    arguments.reader().error(arguments.at("script_text"), "bad-script",
                             fault->text + " (line " + std::to_string(fault->at.line) + " of the script)");
    return nullptr;
  }
  return std::make_unique<CustomScript>(std::move(call));
}

}  // namespace

const ProcessorType custom_script_type{
    .name = "CustomScript",
    .help = "runs JavaScript over the message",
    .directions = {.request = true, .response = true},
    .outputs = outputs,
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
