// allowed_domains and blocked_domains of gateway_config.yaml (gateway.md §4).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/result.h"

namespace lunar {

class PatternSet;

// Immutable once built; may be read by all threads at once. Copies share the compiled patterns.
class DomainLists {
 public:
  enum class Verdict : uint8_t { pass, not_allowed /* error 6 */, blocked /* error 7 */ };

  DomainLists() = default;  // everything passes
  [[nodiscard]] static Result<DomainLists> create(const std::vector<std::string>& allowed,
                                                  const std::vector<std::string>& blocked);

  // Patterns are tried on `host` and on `host:port`; the port is the one that is really used.
  [[nodiscard]] Verdict check(std::string_view host, uint16_t port) const;
  [[nodiscard]] bool empty() const { return !allowed_ && !blocked_; }

 private:
  std::shared_ptr<const PatternSet> allowed_, blocked_;  // null: empty list
};

}  // namespace lunar
