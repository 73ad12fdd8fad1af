#include "flowengine/expr/message_members.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "flowengine/expr/message_json.h"

namespace lunar {
namespace {

using jsonpath::Node;

struct NamedMember {
  std::string_view name;
  Member member;
};

constexpr NamedMember request_members[] = {
    {"id", Member::id},
    {"sequence_id", Member::sequence_id},
    {"method", Member::method},
    {"time", Member::time},
    {"url", Member::url},
    {"parsed_url", Member::parsed_url},
    {"scheme", Member::scheme},
    {"host", Member::host},
    {"path", Member::path},
    {"query", Member::query},
    {"path_segments", Member::path_segments},
    {"path_params", Member::path_params},
    {"query_param", Member::query_param},
    {"parsed_query", Member::parsed_query},
    {"headers", Member::headers},
    {"headers_all", Member::headers_all},
    {"body", Member::body},
    {"body_map", Member::body_map},
    {"size", Member::size},
    {"consumer_tag", Member::consumer_tag},
    {"process", Member::process},
};
constexpr NamedMember response_members[] = {
    {"id", Member::id},
    {"sequence_id", Member::sequence_id},
    {"method", Member::method},
    {"time", Member::time},
    {"url", Member::url},
    {"path", Member::path},
    {"path_segments", Member::path_segments},
    {"query_param", Member::query_param},
    {"headers", Member::headers},
    {"headers_all", Member::headers_all},
    {"body", Member::body},
    {"body_map", Member::body_map},
    {"status", Member::status},
    {"status_code", Member::status_code},
    {"size", Member::size},
    {"usage", Member::usage},
};

template <size_t count>
constexpr std::array<std::string_view, count> names_of(const NamedMember (&members)[count]) {
  std::array<std::string_view, count> out;
  for (size_t i = 0; i < count; ++i) out[i] = members[i].name;
  return out;
}
constexpr auto request_names = names_of(request_members);
constexpr auto response_names = names_of(response_members);

std::span<const NamedMember> members_of(Root root) {
  if (root == Root::request) return request_members;
  return response_members;
}

Json text(std::string_view value) { return std::string(value); }

void append_padded(std::string& out, unsigned value, size_t width) {
  std::string digits = std::to_string(value);
  out.append(width - std::min(width, digits.size()), '0').append(digits);
}

}  // namespace

std::optional<Member> member_from_name(Root root, std::string_view name) {
  auto members = members_of(root);
  auto found = std::ranges::find(members, name, &NamedMember::name);
  return found == members.end() ? std::nullopt : std::optional(found->member);
}

std::string_view consumer_tag_of(const Request& request) {
  if (!request.consumer_tag.empty()) return request.consumer_tag;
  if (const HeaderField* field = request.find("x-lunar-consumer-tag")) return field->value;
  if (request.caller == nullptr) return {};
  return request.caller->unit.empty() ? request.caller->container : request.caller->unit;
}

std::string rfc3339(WallTime time) {
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  std::string out;
  auto put = [&out](auto value, size_t width, char end) {
    append_padded(out, static_cast<unsigned>(value), width);
    out += end;
  };
  put(static_cast<int>(date.year()), 4, '-');
  put(static_cast<unsigned>(date.month()), 2, '-');
  put(static_cast<unsigned>(date.day()), 2, 'T');
  put(clock.hours().count(), 2, ':');
  put(clock.minutes().count(), 2, ':');
  put(clock.seconds().count(), 2, '.');
  put(clock.subseconds().count(), 3, 'Z');
  return out;
}

std::span<const std::string_view> MessageMembers::names() const {
  if (root_ == Root::request) return request_names;
  return response_names;
}

void MessageMembers::path_params_changed() {
  values_[static_cast<size_t>(Member::path_params)] = {};
  url_ = {};
  whole_ = {};
}

Json MessageMembers::url_object() const {
  const Request& request = view_.request();
  return {{"host", text(request.host)},
          {"port", request.port},
          {"path", text(request.path)},
          {"path_parameter", path_params_json(view_.path_params())},
          {"query_parameter", query_param_json(request)}};
}

// What both messages have from the request.
std::optional<Json> MessageMembers::make(Member member) const {
  const Request& request = view_.request();
  switch (member) {
    case Member::id:
      return text(request.id);
    case Member::sequence_id:
      return text(request.sequence_id);
    case Member::method:
      return text(request.method);
    case Member::url:
      return request.url();
    case Member::parsed_url:
      return parsed_url_json(request);
    case Member::scheme:
      return text(scheme_name(request.scheme));
    case Member::host:
      return text(request.host);
    case Member::path:
      return text(request.path);
    case Member::query:
      return text(request.query);
    case Member::path_segments:
      return path_segments_json(request);
    case Member::path_params:
      return path_params_json(view_.path_params());
    case Member::query_param:
      return query_param_json(request);
    case Member::parsed_query:
      return parsed_query_json(request);
    case Member::process:
      return process_json(request.caller);
    case Member::consumer_tag: {
      std::string_view tag = consumer_tag_of(request);
      return tag.empty() ? std::nullopt : std::optional(text(tag));
    }
    default:
      return make_own(member);
  }
}

// What each message has of its own.
std::optional<Json> MessageMembers::make_own(Member member) const {
  const Message& message = *view_.message(root_);
  const Response* response = view_.response();
  switch (member) {
    case Member::time:
      return rfc3339(message.time);
    case Member::headers:
      return headers_json(message);
    case Member::headers_all:
      return headers_all_json(message);
    case Member::body:
      return message.body ? std::optional<Json>(valid_utf8(*message.body)) : std::nullopt;
    case Member::size:
      return message.size ? std::optional<Json>(*message.size) : std::nullopt;
    case Member::status:
    case Member::status_code:
      return response->status;
    case Member::usage:
      return usage_json(response->usage);
    default:
      return std::nullopt;
  }
}

const Json* MessageMembers::value(Member member) {
  if (member == Member::body_map) return view_.json(root_);
  Slot& slot = values_[static_cast<size_t>(member)];
  if (!slot.made) slot = {true, make(member)};
  return slot.json ? &*slot.json : nullptr;
}

const Json* MessageMembers::inside(Member member) {
  if (member == Member::body) return view_.json(root_);
  if (member != Member::url) return value(member);
  if (!url_.made) url_ = {true, url_object()};
  return &*url_.json;
}

std::optional<Node> MessageMembers::member(std::string_view name, Need need) {
  auto member = member_from_name(root_, name);
  if (!member) return std::nullopt;
  Node out;
  if (need != Need::inside) out.value = value(*member);
  if (need != Need::value) out.inside = inside(*member);
  if (out.value == nullptr && out.inside == nullptr) return std::nullopt;
  out.names_fold = member == Member::headers || member == Member::headers_all || member == Member::parsed_url;
  return out;
}

const Json& MessageMembers::whole() {
  if (whole_.made) return *whole_.json;
  whole_ = {true, Json::object()};
  for (std::string_view name : names())
    if (const Json* found = value(*member_from_name(root_, name))) (*whole_.json)[std::string(name)] = *found;
  return *whole_.json;
}

}  // namespace lunar
