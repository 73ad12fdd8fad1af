// The members of a message in the document of flows.md §5.2, by name and as JSON.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flowengine/expr/jsonpath_walk.h"
#include "flowengine/expr/view.h"

namespace lunar {

enum class Member : uint8_t {
  id,
  sequence_id,
  method,
  time,
  url,
  parsed_url,
  scheme,
  host,
  path,
  query,
  path_segments,
  path_params,
  query_param,
  parsed_query,
  headers,
  headers_all,
  body,
  body_map,
  status,
  status_code,
  size,
  consumer_tag,
  process,
  usage,
};
inline constexpr size_t member_count = static_cast<size_t>(Member::usage) + 1;

[[nodiscard]] std::optional<Member> member_from_name(Root root, std::string_view name);

// Members as texts, without a detour over JSON.
[[nodiscard]] std::string_view consumer_tag_of(const Request& request);
[[nodiscard]] std::string rfc3339(WallTime time);

class MessageMembers final : public jsonpath::Members {
 public:
  MessageMembers(View& view, Root root) : view_(view), root_(root) {}

  [[nodiscard]] std::span<const std::string_view> names() const override;
  [[nodiscard]] std::optional<jsonpath::Node> member(std::string_view name, Need need) override;
  [[nodiscard]] const Json& whole() override;
  void path_params_changed();

 private:
  struct Slot {
    bool made = false;
    std::optional<Json> json;
  };
  [[nodiscard]] const Json* value(Member member);
  [[nodiscard]] const Json* inside(Member member);
  [[nodiscard]] std::optional<Json> make(Member member) const;
  [[nodiscard]] std::optional<Json> make_own(Member member) const;
  [[nodiscard]] Json url_object() const;

  View& view_;
  Root root_;
  std::array<Slot, member_count> values_;
  Slot url_, whole_;
};

}  // namespace lunar
