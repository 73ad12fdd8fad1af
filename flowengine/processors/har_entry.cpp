#include "flowengine/processors/har_entry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "flowengine/digest.h"
#include "flowengine/expr/query_string.h"
#include "flowengine/expr/transform_body.h"
#include "flowengine/http_date.h"

namespace lunar {
namespace {

// Numbers with two decimals, so that 1 and 1.0 are one value.
std::string digest_of(const Json& value) {
  if (!value.is_number()) return sha256_hex(json_text(value));
  std::array<char, 400> text{};
  int length = snprintf(text.data(), text.size(), "%.2f", value.get<double>());
  return sha256_hex({text.data(), static_cast<size_t>(std::max(length, 0))});
}

void digest_leaves(Json& value) {
  if (value.is_structured()) {
    for (Json& member : value) digest_leaves(member);
  } else if (!value.is_null()) {
    value = digest_of(value);
  }
}

class EntryWriter {
 public:
  EntryWriter(Context& context, const Obfuscation& obfuscation) : context_(context), obfuscation_(obfuscation) {}

  Json write() {
    const Request& request = context_.request;
    Json out;
    out["startedDateTime"] = rfc3339_text(request.time);
    out["request"] = {{"method", valid_utf8(request.method)},
                      {"url", url()},
                      {"httpVersion", "HTTP/1.1"},
                      {"cookies", Json::array()},
                      {"headers", headers(request, Root::request)},
                      {"queryString", query()},
                      {"headersSize", -1},
                      {"bodySize", request.size ? Json(*request.size) : Json(-1)}};
    if (request.body && !request.body->empty())
      out["request"]["postData"] = {{"mimeType", mime_type(request)}, {"text", body_text(request, Root::request).text}};
    out["response"] = response();
    out["cache"] = Json::object();
    out["_lunar"] = lunar_part();
    return out;
  }

 private:
  struct BodyText {
    std::string text;
    bool base64 = false;
  };

  [[nodiscard]] bool excluded(Root root, Target::Kind kind, std::string_view name) const {
    return std::ranges::any_of(obfuscation_.exclusions, [&](const Expression& path) {
      const Target target = path.target();
      return path.root() == root && target.kind == kind && equal_ignoring_case(target.name, name);
    });
  }

  [[nodiscard]] std::string shown(std::string_view value, bool hidden) const {
    return hidden ? sha256_hex(value) : valid_utf8(value);
  }

  // Values of path parameters are replaced where they stand.
  [[nodiscard]] std::string url() const {
    const Request& request = context_.request;
    Request copy;
    copy.scheme = request.scheme;
    copy.host = request.host;
    copy.port = request.port;
    copy.path = request.path;
    if (obfuscation_.enabled) copy.path = copy.keep(hidden_path());
    std::string out = std::string(scheme_name(request.scheme)) + "://" + copy.url();
    std::string query_text;
    if (!obfuscation_.enabled) {
      query_text = request.query;
    } else {
      for (const auto& [name, value] : parse_query_string(request.query)) {
        query_text += (query_text.empty() ? "" : "&") + name + "=" +
                      shown(value, !excluded(Root::request, Target::Kind::query_param, name));
      }
    }
    return valid_utf8(query_text.empty() ? out : out + "?" + query_text);
  }

  [[nodiscard]] std::string hidden_path() const {
    std::string out;
    std::string_view rest = context_.request.path;
    const PathParams& params = path_params_of(context_.view);
    while (!rest.empty()) {
      rest.remove_prefix(1);
      std::string_view segment = rest.substr(0, rest.find('/'));
      rest.remove_prefix(segment.size());
      bool is_param = std::ranges::any_of(params, [&](const auto& param) { return param.second == segment; });
      out += "/" + (is_param ? sha256_hex(segment) : std::string(segment));
    }
    return out;
  }

  [[nodiscard]] Json query() const {
    Json out = Json::array();
    for (const auto& [name, value] : parse_query_string(context_.request.query)) {
      bool hidden = obfuscation_.enabled && !excluded(Root::request, Target::Kind::query_param, name);
      out.push_back({{"name", valid_utf8(name)}, {"value", shown(value, hidden)}});
    }
    return out;
  }

  [[nodiscard]] Json headers(const Message& message, Root root) const {
    Json out = Json::array();
    for (const HeaderField& field : message.fields) {
      bool hidden = obfuscation_.enabled && !excluded(root, Target::Kind::header, field.name);
      out.push_back({{"name", valid_utf8(field.name)}, {"value", shown(field.value, hidden)}});
    }
    return out;
  }

  [[nodiscard]] static std::string mime_type(const Message& message) {
    const HeaderField* field = message.find("content-type");
    return field == nullptr ? "" : valid_utf8(field->value);
  }

  BodyText body_text(const Message& message, Root root) {
    if (!message.body) return {};
    if (!obfuscation_.enabled) {
      if (valid_utf8(*message.body) == *message.body) return {std::string(*message.body), false};
      return {base64(*message.body), true};
    }
    const Json* parsed = context_.view.json(root);
    if (parsed == nullptr) return {sha256_hex(*message.body), false};
    Json hidden = *parsed;
    digest_leaves(hidden);
    restore_excluded(hidden, *parsed, root);
    return {hidden.dump(-1, ' ', false, Json::error_handler_t::replace), false};
  }

  // Marks the excluded leaves in a copy, then takes their originals.
  void restore_excluded(Json& hidden, const Json& original, Root root) {
    Json marked = original;
    bool any = false;
    constexpr std::string_view mark = "\x01kept";
    for (const Expression& path : obfuscation_.exclusions) {
      if (path.root() != root || path.target().kind != Target::Kind::body) continue;
      any = replace_scalars(marked, path, context_.view, [&](const std::string&) { return std::string(mark); }) > 0 ||
            any;
    }
    if (any) copy_marked(hidden, original, marked, mark);
  }

  static void copy_marked(Json& hidden, const Json& original, const Json& marked, std::string_view mark) {
    if (marked.is_string() && marked.get_ref<const std::string&>() == mark) {
      hidden = original;
    } else if (marked.is_array()) {
      for (size_t i = 0; i < marked.size(); ++i) copy_marked(hidden[i], original[i], marked[i], mark);
    } else if (marked.is_object()) {
      for (const auto& [name, member] : marked.items()) copy_marked(hidden[name], original[name], member, mark);
    }
  }

  Json response() {
    const Response& response = *context_.response;
    BodyText body = body_text(response, Root::response);
    const HeaderField* location = response.find("location");
    Json content{{"size", response.size ? Json(*response.size) : Json(-1)}, {"mimeType", mime_type(response)}};
    if (response.body) content["text"] = body.text;
    if (body.base64) content["encoding"] = "base64";
    return {{"status", response.status},
            {"statusText", ""},
            {"httpVersion", "HTTP/1.1"},
            {"cookies", Json::array()},
            {"headers", headers(response, Root::response)},
            {"content", std::move(content)},
            {"redirectURL", location == nullptr ? "" : shown(location->value, obfuscation_.enabled)},
            {"headersSize", -1},
            {"bodySize", response.size ? Json(*response.size) : Json(-1)}};
  }

  [[nodiscard]] Json lunar_part() const {
    const Request& request = context_.request;
    Json out{{"request_id", valid_utf8(request.id)},
             {"sequence_id", valid_utf8(request.sequence_id)},
             {"flow", context_.plan.flows[context_.flow].name},
             {"consumer_tag", valid_utf8(request.consumer_tag)}};
    Json process = Json::object();
    if (const Caller* caller = request.caller) {
      if (caller->pid) process["pid"] = *caller->pid;
      if (caller->uid) process["uid"] = *caller->uid;
      const std::pair<const char*, const std::string*> texts[] = {{"comm", &caller->comm},
                                                                  {"exe", &caller->exe},
                                                                  {"cgroup", &caller->cgroup},
                                                                  {"unit", &caller->unit},
                                                                  {"container", &caller->container}};
      for (const auto& [name, text] : texts)
        if (!text->empty()) process[name] = valid_utf8(*text);
    }
    out["process"] = std::move(process);
    return out;
  }

  Context& context_;
  const Obfuscation& obfuscation_;
};

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out.push_back(i + j <= bytes.size() ? digits[(group >> (18 - 6 * j)) & 63] : '=');
  }
  return out;
}

Json har_entry(Context& context, const Obfuscation& obfuscation) { return EntryWriter(context, obfuscation).write(); }

}  // namespace lunar
