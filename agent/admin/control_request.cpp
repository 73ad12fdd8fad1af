#include "agent/admin/control_request.h"

#include <array>
#include <utility>

#include "agent/admin/wire.h"

namespace lunar::admin {
namespace {

using nlohmann::json;

// A small part of what the server takes: a document in memory is many times its text.
constexpr size_t kRequestLimit = 64 * 1024;

Result<json> object_from(std::string_view body) {
  if (body.size() > kRequestLimit) return fail("the body is larger than any such request");
  json document = json::parse(body, nullptr, false);
  if (!document.is_object()) return fail("the body must be a JSON object");
  return document;
}

Result<> read_member(AttachRequest& request, const std::string& name, const json& value) {
  const std::array<std::pair<std::string_view, bool*>, 3> flags{{{wire::key::kNetns, &request.netns},
                                                                 {wire::key::kResetExisting, &request.reset_existing},
                                                                 {wire::key::kTransient, &request.transient}}};
  for (const auto& [flag, target] : flags) {
    if (name != flag) continue;
    if (!value.is_boolean()) return fail("`" + name + "` must be true or false");
    *target = value.get<bool>();
    return {};
  }
  if (name == wire::key::kTarget) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) return fail("`target` must be a text");
    request.target = value.get<std::string>();
    return {};
  }
  if (name == wire::key::kPid) {
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() > 0 && value.get<uint64_t>() <= INT32_MAX;
    if (!fits) return fail("`pid` must be the number of a process");
    request.pid = value.get<uint32_t>();
    return {};
  }
  return fail("unknown member `" + name + "`");
}

}  // namespace

Result<AttachRequest> attach_request_from(std::string_view body) {
  const Result<json> document = object_from(body);
  if (!document) return std::unexpected(document.error());
  AttachRequest request;
  for (const auto& [name, value] : document->items()) {
    if (Result<> read = read_member(request, name, value); !read) return std::unexpected(read.error());
  }
  if (request.target.empty() == !request.pid) return fail("name exactly one of `target` and `pid`");
  return request;
}

Result<FailsafeMode> failsafe_mode_from(std::string_view body) {
  const Result<json> document = object_from(body);
  if (!document) return std::unexpected(document.error());
  const auto mode = document->find(wire::key::kMode);
  if (mode != document->end() && *mode == "bypass") return FailsafeMode::bypass;
  if (mode != document->end() && *mode == "auto") return FailsafeMode::automatic;
  return fail("`mode` must be bypass or auto");
}

}  // namespace lunar::admin
