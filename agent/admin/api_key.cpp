#include "agent/admin/api_key.h"

#include <utility>

#include "agent/http/field.h"

namespace lunar::admin {
namespace {

constexpr std::string_view kScheme = "Bearer ";

// Over all of `given`, whatever its length, so that time tells nothing about the key's bytes.
bool equal_in_constant_time(std::string_view given, std::string_view key) {
  volatile size_t difference = given.size() ^ key.size();
  for (size_t i = 0; i < given.size(); ++i) {
    difference = difference | static_cast<unsigned char>(given[i] ^ key[i % key.size()]);
  }
  return difference == 0;
}

}  // namespace

bool bearer_matches(std::string_view authorization, std::string_view key) {
  if (key.empty() || authorization.size() <= kScheme.size()) return false;
  if (!http::equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return false;
  return equal_in_constant_time(authorization.substr(kScheme.size()), key);
}

std::function<std::optional<HttpResponse>(const HttpRequest&)> require_key(std::string key) {
  return [key = std::move(key)](const HttpRequest& head) -> std::optional<HttpResponse> {
    if (bearer_matches(head.authorization, key)) return std::nullopt;
    HttpResponse refusal =
        key.empty()
            ? error_response(401, "unauthorized",
                             "no API key is configured: set admin.api_key_file in lunard.yaml, or LUNAR_API_KEY")
            : error_response(401, "unauthorized", "send the API key as Authorization: Bearer KEY");
    refusal.fields.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  };
}

}  // namespace lunar::admin
