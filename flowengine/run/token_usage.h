// What an LLM's answer says it cost (flows.md §5.3), found without holding the answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flowengine/expr/json.h"
#include "flowengine/message.h"

namespace lunar {

// The member `usage` of a complete JSON body.
[[nodiscard]] std::optional<TokenUsage> usage_of(const Json& body);

// The last record of an event stream that has one; fed with the text as it comes. Keeps one record of bounded length.
class EventUsage {
 public:
  void read(std::string_view text);
  [[nodiscard]] const std::optional<TokenUsage>& usage() const { return usage_; }

 private:
  void end_line();

  std::string line_;
  bool too_long_ = false;
  std::optional<TokenUsage> usage_;
};

}  // namespace lunar
