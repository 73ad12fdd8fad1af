// ReadCache and WriteCache (flows.md §7.6): one store for both; what may be stored follows RFC 9111 as far as the
// operator asks for it.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "flowengine/expr/jsonpath_tree.h"
#include "flowengine/http_date.h"
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr std::string_view read_outputs[] = {"cache_hit", "cache_miss"};
constexpr int16_t hit = 0;
constexpr int16_t miss = 1;

// `$.request.headers.Authorization`, or the same of headers_all.
bool is_authorization(const Expression& part) {
  const auto& segments = part.query().segments;
  auto name = [&segments](size_t at) {
    const auto& selectors = segments[at].selectors;
    bool named = !segments[at].descendant && selectors.size() == 1;
    return named ? std::string_view(selectors[0].name) : std::string_view{};
  };
  return segments.size() >= 2 && (name(0) == "headers" || name(0) == "headers_all") &&
         equal_ignoring_case(name(1), "authorization");
}

struct KeyRules {
  std::string partition;
  std::vector<Expression> parts;
  bool share_authorized = false;
  bool respect_cache_control = false;

  [[nodiscard]] bool names_authorization() const { return std::ranges::any_of(parts, is_authorization); }
  [[nodiscard]] bool needs_body() const {
    return std::ranges::any_of(parts, [](const Expression& part) { return part.needs_body(); });
  }
};

bool has_directive(const Message& message, std::string_view directive) {
  return std::ranges::any_of(message.fields, [directive](const HeaderField& field) {
    if (!equal_ignoring_case(field.name, "cache-control")) return false;
    const std::string value = lower_case(field.value);
    for (size_t at = value.find(directive); at != std::string::npos; at = value.find(directive, at + 1)) {
      bool begins = at == 0 || value[at - 1] == ' ' || value[at - 1] == ',';
      size_t end = at + directive.size();
      if (begins && (end == value.size() || std::string_view(" ,=").contains(value[end]))) return true;
    }
    return false;
  });
}

std::optional<int64_t> directive_seconds(const Message& message, std::string_view directive) {
  for (const HeaderField& field : message.fields) {
    if (!equal_ignoring_case(field.name, "cache-control")) continue;
    const std::string value = lower_case(field.value);
    size_t at = value.find(std::string(directive) + "=");
    if (at == std::string::npos || (at > 0 && value[at - 1] != ' ' && value[at - 1] != ',')) continue;
    int64_t seconds = 0;
    const char* begin = value.data() + at + directive.size() + 1;
    if (*begin == '"') ++begin;
    if (std::from_chars(begin, value.data() + value.size(), seconds).ec == std::errc{}) return seconds;
  }
  return std::nullopt;
}

// Flow, method and parts, each with its length, so that no two lists of parts have one key. Nothing where no part is
// there, or a body that a part names is not.
std::optional<std::string> cache_key(const KeyRules& rules, const Context& context) {
  std::string key = rules.partition + '\0' + std::string(context.request.method);
  bool any = false;
  for (const Expression& part : rules.parts) {
    if (part.needs_body() && !context.request.body) return std::nullopt;
    auto text = part.first_text(context.view);
    any = any || text.has_value();
    key += '\0' + part.text() + '\0' + (text ? std::to_string(text->size()) + ":" + *text : std::string("-"));
  }
  return any ? std::optional(key) : std::nullopt;
}

bool may_use(const KeyRules& rules, const Request& request) {
  bool authorized = request.find("authorization") != nullptr;
  return !authorized || rules.share_authorized || rules.names_authorization();
}

// What both have: the key is taken when the flow begins, before anything is changed.
class CacheStep : public Processor {
 public:
  explicit CacheStep(KeyRules rules) : rules_(std::move(rules)) {}

  void flow_begins(Context& context) const override {
    if (!may_use(rules_, context.request)) return;
    if (rules_.respect_cache_control && has_directive(context.request, "no-store")) return;
    if (auto key = cache_key(rules_, context)) context.notes.cache_keys[context.instance] = *std::move(key);
  }
  [[nodiscard]] BodyUse body_use(Phase /*phase*/) const override { return {.hold_request = rules_.needs_body()}; }
  [[nodiscard]] std::string cache_scheme() const override {
    std::string out = rules_.partition;
    for (const Expression& part : rules_.parts) out += '\0' + part.text();
    return out;
  }

 protected:
  [[nodiscard]] const KeyRules& rules() const { return rules_; }
  [[nodiscard]] static const std::string* key(const Context& context) {
    auto found = context.notes.cache_keys.find(context.instance);
    return found == context.notes.cache_keys.end() ? nullptr : &found->second;
  }

 private:
  KeyRules rules_;
};

class ReadCache final : public CacheStep {
 public:
  using CacheStep::CacheStep;

  [[nodiscard]] Outcome run(Context& context) const override {
    const std::string* found = key(context);
    bool bypass = rules().respect_cache_control && has_directive(context.request, "no-cache");
    if (found != nullptr && !bypass) return effect::ReadCache{*found};
    context.measure(emission::Meter::cache_miss);
    return outcome::Done{miss};
  }

  [[nodiscard]] Outcome resume(Context& context, Reply& reply) const override {
    const auto& found = std::get<reply::Cached>(reply).found;
    if (found == nullptr || found->expires <= context.now.wall || !answers(*found, context.request)) {
      context.measure(emission::Meter::cache_miss);
      return outcome::Done{miss};
    }
    context.measure(emission::Meter::cache_hit);
    context.measure(emission::Meter::cache_bytes_served, static_cast<double>(found->body.size()));
    auto response = std::make_unique<Response>();
    response->status = found->status;
    response->from_provider = false;
    response->time = context.now.wall;
    for (const auto& [name, value] : found->fields) response->add_field(name, value);
    response->wire_body = response->keep(found->body);
    if (response->find("content-encoding") == nullptr) response->body = response->wire_body;
    response->size = found->body.size();
    return outcome::Answer{std::move(response), hit};
  }

 private:
  static bool answers(const CachedResponse& cached, const Request& request) {
    return std::ranges::all_of(cached.vary, [&request](const auto& field) {
      const HeaderField* present = request.find(field.first);
      return (present == nullptr ? std::string_view{} : present->value) == field.second;
    });
  }
};

bool storable_status(int status) {
  return (status >= 200 && status <= 299 && status != 206) || status == 301 || status == 308 || status == 404 ||
         status == 410;
}

bool kept_field(std::string_view name) {
  constexpr std::string_view dropped[] = {"connection", "keep-alive", "proxy-connection",  "te",
                                          "trailer",    "upgrade",    "transfer-encoding", "content-length",
                                          "set-cookie", "set-cookie2"};
  return std::ranges::none_of(dropped, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

struct WriteLimits {
  std::chrono::nanoseconds ttl{};
  int64_t record_bytes = -1;
  int64_t partition_bytes = 0;
};

class WriteCache final : public CacheStep {
 public:
  WriteCache(KeyRules rules, WriteLimits limits) : CacheStep(std::move(rules)), limits_(limits) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    bool storable = key(context) != nullptr && context.response->from_provider &&
                    storable_status(context.response->status) && time_to_live(context).count() > 0;
    if (storable) context.observe_end();
    return outcome::Done{};
  }

  void observed(Context& context, bool complete) const override {
    const Response& response = *context.response;
    auto body = response.body_changed ? response.body : response.wire_body;
    if (!complete || !body) return;
    if (limits_.record_bytes > 0 && body->size() > static_cast<size_t>(limits_.record_bytes)) return;
    auto record = std::make_shared<CachedResponse>();
    record->status = response.status;
    for (const HeaderField& field : response.fields)
      if (kept_field(field.name)) record->fields.emplace_back(field.name, field.value);
    record->body = *body;
    record->method = context.request.method;
    record->stored = context.now.wall;
    auto ttl = time_to_live(context);
    record->expires = context.now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(ttl);
    if (rules().respect_cache_control) note_vary(context, *record);
    if (record->bytes() > static_cast<size_t>(limits_.partition_bytes)) return;
    context.measure(emission::Meter::cache_entries_written);
    context.measure(emission::Meter::cache_bytes_written, static_cast<double>(body->size()));
    context.emissions.emplace_back(emission::WriteCache{.key = *key(context),
                                                        .partition = rules().partition,
                                                        .response = std::move(record),
                                                        .ttl = ttl,
                                                        .partition_limit = limits_.partition_bytes,
                                                        .instance = context.instance});
  }

  [[nodiscard]] BodyUse body_use(Phase phase) const override {
    BodyUse out = CacheStep::body_use(phase);
    out.copy_response = true;
    return out;
  }

 private:
  static void note_vary(const Context& context, CachedResponse& record) {
    for (const HeaderField& field : context.response->fields) {
      if (!equal_ignoring_case(field.name, "vary")) continue;
      std::string_view rest = field.value;
      while (!rest.empty()) {
        size_t comma = std::min(rest.find(','), rest.size());
        std::string_view name = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        while (name.starts_with(' ')) name.remove_prefix(1);
        while (name.ends_with(' ')) name.remove_suffix(1);
        const HeaderField* present = context.request.find(name);
        record.vary.emplace_back(name, present == nullptr ? std::string_view{} : present->value);
      }
    }
  }

  // Zero: must not be stored.
  [[nodiscard]] std::chrono::nanoseconds time_to_live(const Context& context) const {
    if (!rules().respect_cache_control) return limits_.ttl;
    const Response& response = *context.response;
    for (std::string_view directive : {"no-store", "private", "no-cache"})
      if (has_directive(response, directive)) return {};
    const HeaderField* vary = response.find("vary");
    if (vary != nullptr && vary->value.contains('*')) return {};
    for (std::string_view directive : {"s-maxage", "max-age"})
      if (auto seconds = directive_seconds(response, directive))
        return std::chrono::seconds(std::max<int64_t>(*seconds, 0));
    if (const HeaderField* expires = response.find("expires")) {
      auto at = parse_http_date(expires->value, context.now.wall);
      return at && *at > context.now.wall ? std::chrono::nanoseconds(*at - context.now.wall)
                                          : std::chrono::nanoseconds{};
    }
    return limits_.ttl;
  }

  WriteLimits limits_;
};

constexpr Parameter read_parameters[] = {
    {.name = "caching_key_parts", .kind = ParameterKind::texts, .required = true, .help = "JSONPaths on $.request"},
    {.name = "share_authorized",
     .kind = ParameterKind::boolean,
     .fallback = "false",
     .help = "also for requests with Authorization, shared by all of them"},
    {.name = "respect_cache_control",
     .kind = ParameterKind::boolean,
     .fallback = "false",
     .help = "obey Cache-Control, Expires and Vary as well"},
};
constexpr Parameter write_parameters[] = {
    read_parameters[0],
    read_parameters[1],
    read_parameters[2],
    {.name = "ttl_seconds",
     .kind = ParameterKind::number,
     .fallback = "600",
     .low = 1e-9,
     .high = 1e9,
     .help = "how long a response is served"},
    {.name = "record_max_size_bytes",
     .kind = ParameterKind::integer,
     .fallback = "-1",
     .low = -1,
     .help = "larger responses are not stored; -1: unlimited"},
    {.name = "max_cache_size_mb",
     .kind = ParameterKind::integer,
     .fallback = "100",
     .low = 1,
     .high = 1048576,
     .help = "bound for the entries of this flow"},
};

std::optional<KeyRules> read_rules(Arguments& arguments, const Surroundings& surroundings) {
  KeyRules out{.partition = surroundings.flow_name};
  const Value* value = arguments.value("caching_key_parts");
  if (value == nullptr) return std::nullopt;
  bool good = true;
  auto items = arguments.reader().list(*value);
  for (const Value* item : items.value_or(std::vector<const Value*>{})) {
    auto text = arguments.reader().string(*item);
    auto part = text ? expression_argument(*item, *text, arguments.reader()) : std::nullopt;
    bool of_request = part && part->root() == Root::request;
    if (part && !of_request)
      arguments.reader().error(item->at, "bad-expression-root", "a key part must begin with $.request");
    good = good && of_request;
    if (of_request) out.parts.push_back(*std::move(part));
  }
  if (items && items->empty()) {
    arguments.reader().error(value->at, "out-of-range", "`caching_key_parts` needs at least one JSONPath");
    return std::nullopt;
  }
  out.share_authorized = arguments.flag("share_authorized");
  out.respect_cache_control = arguments.flag("respect_cache_control");
  if (out.share_authorized)
    arguments.reader().warn(arguments.at("share_authorized"), "shared-authorized",
                            "answers to one caller's Authorization are given to other callers");
  return good && items ? std::optional(std::move(out)) : std::nullopt;
}

std::unique_ptr<const Processor> create_read(Arguments& arguments, Surroundings& surroundings) {
  auto rules = read_rules(arguments, surroundings);
  return rules ? std::make_unique<ReadCache>(*std::move(rules)) : nullptr;
}

std::unique_ptr<const Processor> create_write(Arguments& arguments, Surroundings& surroundings) {
  auto rules = read_rules(arguments, surroundings);
  double seconds = arguments.number("ttl_seconds");
  WriteLimits limits{.ttl = std::chrono::nanoseconds(static_cast<int64_t>(std::llround(seconds * 1e9))),
                     .record_bytes = arguments.integer("record_max_size_bytes"),
                     .partition_bytes = arguments.integer("max_cache_size_mb") * 1024 * 1024};
  if (limits.record_bytes == 0) {
    arguments.reader().error(arguments.at("record_max_size_bytes"), "out-of-range", "0 is neither -1 nor above 0");
    return nullptr;
  }
  return rules ? std::make_unique<WriteCache>(*std::move(rules), limits) : nullptr;
}

}  // namespace

const ProcessorType read_cache_type{
    .name = "ReadCache",
    .help = "answers from the cache",
    .directions = {.request = true},
    .outputs = read_outputs,
    .answers = true,
    .silent_in_response = true,
    .parameters = read_parameters,
    .create = create_read,
};
const ProcessorType write_cache_type{
    .name = "WriteCache",
    .help = "stores the provider's answer in the cache",
    .directions = {.response = true},
    .parameters = write_parameters,
    .create = create_write,
};

}  // namespace lunar
