// An exact host name, or `*.` followed by a domain, which covers one or more labels in front of it. Ignores case. An
// IPv6 address is meant in each of its spellings, and stands with brackets or without.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lunar {

class HostPattern {
 public:
  [[nodiscard]] static std::optional<HostPattern> parse(std::string_view text);

  [[nodiscard]] bool matches(std::string_view host) const;
  [[nodiscard]] bool exact() const { return !wildcard_; }
  [[nodiscard]] std::string text() const { return wildcard_ ? "*." + domain_ : domain_; }
  auto operator<=>(const HostPattern&) const = default;

 private:
  std::string domain_;  // lower case; an IPv6 address as RFC 5952 writes it, without brackets
  bool wildcard_ = false;
};

}  // namespace lunar
