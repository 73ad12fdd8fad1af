// TransformAPICall (flows.md §7.7): deletes, sets and obfuscates parts of a message, in this order.
#include <algorithm>

#include "flowengine/digest.h"
#include "flowengine/expr/query_string.h"
#include "flowengine/expr/transform_body.h"
#include "flowengine/processors/changes.h"
#include "flowengine/processors/query_edit.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

struct Assignment {
  Expression target;
  Json value;
  std::string variable;   // of the environment; empty: `value`
  bool available = true;  // the variable is set
};

struct TransformSettings {
  std::vector<Expression> remove, obfuscate;
  std::vector<Assignment> set;
};

// A step that could not be done, for the log; empty: done.
using Problem = std::string;

class Transform final : public Processor {
 public:
  explicit Transform(TransformSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    Change change{context, {}, {}};
    for (const Expression& target : settings_.remove)
      if (Problem why = change.remove(target); !why.empty()) return failed(why);
    for (const Assignment& one : settings_.set) {
      if (!change.concerned(one.target)) continue;
      if (!one.available) return failed("environment variable " + one.variable + " is not set");
      if (Problem why = change.set(one); !why.empty()) return failed(why);
    }
    for (const Expression& target : settings_.obfuscate)
      if (Problem why = change.obfuscate(target); !why.empty()) return failed(why);
    change.finish();
    return outcome::Done{};
  }

  [[nodiscard]] std::string_view idle_part(Phase phase) const override {
    auto of_request = [](const Expression& target) { return target.root() == Root::request; };
    bool any = std::ranges::any_of(settings_.remove, of_request) ||
               std::ranges::any_of(settings_.obfuscate, of_request) ||
               std::ranges::any_of(settings_.set, of_request, &Assignment::target);
    return any && phase == Phase::response ? "a target in $.request" : "";
  }

  [[nodiscard]] BodyUse body_use(Phase phase) const override {
    Root root = phase == Phase::request ? Root::request : Root::response;
    auto needs = [root](const Expression& target) {
      return target.root() == root && target.target().kind == Target::Kind::body;
    };
    bool any = std::ranges::any_of(settings_.remove, needs) || std::ranges::any_of(settings_.obfuscate, needs) ||
               std::ranges::any_of(settings_.set, [&](const Assignment& one) { return needs(one.target); });
    return {.hold_request = any && phase == Phase::request, .hold_response = any && phase == Phase::response};
  }

 private:
  static Outcome failed(std::string why) { return outcome::Failed{"transform", std::move(why)}; }

  // The message on its way from one state to the next; bodies are written once, at the end.
  struct Change {
    Context& context;
    std::optional<Json> request_body, response_body;

    [[nodiscard]] bool concerned(const Expression& target) const {
      bool of_response = target.root() == Root::response;
      return of_response == (context.phase == Phase::response);
    }
    [[nodiscard]] Message& message() const {
      return context.phase == Phase::response ? static_cast<Message&>(*context.response) : context.request;
    }
    Json* body() {
      auto& copy = context.phase == Phase::response ? response_body : request_body;
      if (copy) return &*copy;
      const Json* parsed = context.view.json(context.phase == Phase::response ? Root::response : Root::request);
      if (parsed == nullptr) return nullptr;
      copy = *parsed;
      return &*copy;
    }

    Problem remove(const Expression& expression) {
      if (!concerned(expression)) return "";
      const Target target = expression.target();
      switch (target.kind) {
        case Target::Kind::header:
          if (!is_hop_by_hop_field(target.name)) message().remove_field(target.name);
          return "";
        case Target::Kind::query:
          return set_query(context.request, "") ? "" : "query";
        case Target::Kind::query_param:
          return set_query(context.request, without_query_param(context.request.query, target.name)) ? "" : "query";
        case Target::Kind::path:
          return set_path(context.request, "/") ? "" : "path";
        case Target::Kind::body:
          if (Json* json = body()) {
            remove_matches(*json, expression, context.view);
            return "";
          }
          return "the body is not JSON";
        default:
          return "`" + expression.text() + "` cannot be deleted";
      }
    }

    Problem set(const Assignment& one) {
      const Target target = one.target.target();
      const std::string text = json_text(one.value);
      switch (target.kind) {
        case Target::Kind::header:
          if (is_hop_by_hop_field(target.name)) return "";
          if (!is_settable_field(target.name, text)) return "`" + target.name + "` cannot be sent as a header field";
          message().set_field(target.name, text);
          return "";
        case Target::Kind::query:
          return set_query(context.request, text) ? "" : "\"" + text + "\" is no query";
        case Target::Kind::query_param:
          (void)set_query(context.request, with_query_param(context.request.query, target.name, text));
          return "";
        case Target::Kind::path:
          return set_path(context.request, text) ? "" : "\"" + text + "\" is no path";
        case Target::Kind::host:
          return set_host(context.request, text) ? "" : "\"" + text + "\" is no host";
        case Target::Kind::status:
          return set_status(one.value);
        case Target::Kind::body:
          return set_in_body(one);
        default:
          return "`" + one.target.text() + "` cannot be set";
      }
    }

    Problem set_status(const Json& value) const {
      auto status = json_integer(value);
      if (!status || *status < 200 || *status > 599)
        return "\"" + json_text(value) + "\" is no status between 200 and 599";
      context.response->status = static_cast<int>(*status);
      context.response->head_changed = true;
      return "";
    }

    Problem set_in_body(const Assignment& one) {
      Json* json = body();
      if (json == nullptr) return "the body is not JSON";
      return set_value(*json, one.target, one.value) ? "" : "`" + one.target.text() + "` cannot be set in this body";
    }

    Problem obfuscate(const Expression& expression) {
      if (!concerned(expression)) return "";
      const Target target = expression.target();
      if (target.kind == Target::Kind::body) {
        Json* json = body();
        if (json == nullptr) return "the body is not JSON";
        replace_scalars(*json, expression, context.view, [](const std::string& text) { return sha256_hex(text); });
        return "";
      }
      if (target.kind == Target::Kind::header) {
        if (is_hop_by_hop_field(target.name)) return "";
        for (HeaderField& field : message().fields)
          if (equal_ignoring_case(field.name, target.name)) field.value = message().keep(sha256_hex(field.value));
        message().head_changed = true;
        return "";
      }
      context.view.request_changed();
      auto text = expression.first_text(context.view);
      if (!text) return "";
      return set({.target = expression, .value = sha256_hex(*text)});
    }

    void finish() {
      if (request_body) context.request.set_body(request_body->dump(-1, ' ', false, Json::error_handler_t::replace));
      if (response_body)
        context.response->set_body(response_body->dump(-1, ' ', false, Json::error_handler_t::replace));
      context.view.request_changed();
      if (context.response != nullptr) context.view.response_changed();
    }
  };

  TransformSettings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "delete", .kind = ParameterKind::texts, .help = "JSONPaths; every match goes"},
    {.name = "set", .kind = ParameterKind::map, .help = "JSONPath -> value; `$NAME` is an environment variable"},
    {.name = "obfuscate", .kind = ParameterKind::texts, .help = "JSONPaths; every scalar becomes its SHA-256"},
};

bool is_good_target(const Expression& expression) {
  const Target target = expression.target();
  bool of_response = expression.root() == Root::response;
  switch (target.kind) {
    case Target::Kind::none:
      return false;
    case Target::Kind::header:
    case Target::Kind::body:
      return true;
    case Target::Kind::status:
      return of_response;
    default:
      return !of_response;
  }
}

class TransformReader {
 public:
  TransformReader(Arguments& arguments, const Surroundings& surroundings)
      : arguments_(arguments), surroundings_(surroundings), reader_(arguments.reader()) {}

  std::unique_ptr<const Processor> read() {
    bool any = arguments_.has("delete") || arguments_.has("set") || arguments_.has("obfuscate");
    if (!any) {
      reader_.error(arguments_.at("delete"), "transform-empty",
                    "processor `" + surroundings_.processor_key + "` needs one of delete, set and obfuscate");
      return nullptr;
    }
    read_list("delete", settings_.remove);
    for (const Entry* entry : arguments_.map("set")) read_assignment(*entry);
    read_list("obfuscate", settings_.obfuscate);
    return good_ ? std::make_unique<Transform>(std::move(settings_)) : nullptr;
  }

 private:
  std::optional<Expression> target(Position at, const Value& value, std::string_view text) {
    auto path = expression_argument(value, text, reader_);
    if (path && !is_good_target(*path)) {
      reader_.error(at, "bad-transform-target",
                    "\"" + std::string(text) +
                        "\" cannot be changed; targets are headers.X, body..., path, query, "
                        "query_param.X and host of $.request, and headers.X, body... and status of $.response");
      path.reset();
    }
    good_ = good_ && path;
    return path;
  }

  void read_list(std::string_view name, std::vector<Expression>& out) {
    const Value* list = arguments_.value(name);
    auto items = list == nullptr ? std::nullopt : reader_.list(*list);
    for (const Value* item : items.value_or(std::vector<const Value*>{})) {
      auto text = reader_.string(*item);
      auto path = text ? target(item->at, *item, *text) : std::nullopt;
      if (path) out.push_back(*std::move(path));
    }
  }

  void read_assignment(const Entry& entry) {
    Value at;
    at.at = entry.key_at;
    auto path = target(entry.key_at, at, entry.key);
    if (!path) return;
    if (!path->singular()) {
      reader_.error(entry.key_at, "bad-transform-target", "\"" + entry.key + "\" may name more than one place");
      good_ = false;
      return;
    }
    Assignment out{.target = *std::move(path), .value = to_json(entry.value)};
    if (is_hop_by_hop_field(out.target.target().name) && out.target.target().kind == Target::Kind::header)
      reader_.warn(entry.key_at, "bad-transform-target", "`" + entry.key + "` is a hop-by-hop field and is not set");
    read_variable(entry, out);
    settings_.set.push_back(std::move(out));
  }

  void read_variable(const Entry& entry, Assignment& out) {
    const std::string& text = entry.value.text;
    auto upper = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    bool is_variable = entry.value.kind == Value::Kind::scalar && text.size() > 1 && text[0] == '$' &&
                       std::ranges::all_of(std::string_view(text).substr(1), upper) &&
                       !(text[1] >= '0' && text[1] <= '9');
    if (!is_variable) return;
    out.variable = text.substr(1);
    out.available = surroundings_.has_environment(out.variable);
    out.value = surroundings_.environment(out.variable);
    if (!out.available)
      reader_.warn(entry.value.at, "environment-unset",
                   "environment variable " + out.variable + " is not set; this step fails until it is");
  }

  Arguments& arguments_;
  const Surroundings& surroundings_;
  Reader& reader_;
  TransformSettings settings_;
  bool good_ = true;
};

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& surroundings) {
  return TransformReader(arguments, surroundings).read();
}

}  // namespace

const ProcessorType transform_type{
    .name = "TransformAPICall",
    .help = "deletes, sets and obfuscates parts of a message",
    .directions = {.request = true, .response = true},
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
