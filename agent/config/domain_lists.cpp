#include "agent/config/domain_lists.h"

#include <re2/re2.h>
#include <re2/set.h>

namespace lunar {

class PatternSet {
 public:
  static Result<std::shared_ptr<const PatternSet>> create(const std::vector<std::string>& patterns,
                                                          std::string_view key) {
    auto out = std::make_shared<PatternSet>();
    for (const std::string& pattern : patterns) {
      std::string why;
      if (out->set_.Add(pattern, &why) < 0) {
        std::string text(key);
        text.append(": \"").append(pattern).append("\": ").append(why);
        return fail(std::move(text));
      }
    }
    if (!out->set_.Compile()) return fail(std::string(key) + ": the patterns need too much memory together");
    return out;
  }

  [[nodiscard]] bool hits(std::string_view text) const { return set_.Match({text.data(), text.size()}, nullptr); }

 private:
  static RE2::Options options() {
    RE2::Options out;
    out.set_case_sensitive(false);
    out.set_log_errors(false);
    return out;
  }

  RE2::Set set_{options(), RE2::UNANCHORED};
};

Result<DomainLists> DomainLists::create(const std::vector<std::string>& allowed,
                                        const std::vector<std::string>& blocked) {
  DomainLists out;
  if (!allowed.empty()) {
    auto patterns = PatternSet::create(allowed, "allowed_domains");
    if (!patterns) return std::unexpected(patterns.error());
    out.allowed_ = *patterns;
  }
  if (!blocked.empty()) {
    auto patterns = PatternSet::create(blocked, "blocked_domains");
    if (!patterns) return std::unexpected(patterns.error());
    out.blocked_ = *patterns;
  }
  return out;
}

DomainLists::Verdict DomainLists::check(std::string_view host, uint16_t port) const {
  if (empty()) return Verdict::pass;
  std::string with_port = std::string(host) + ":" + std::to_string(port);
  auto hits = [&](const PatternSet& patterns) { return patterns.hits(host) || patterns.hits(with_port); };
  if (allowed_ && !hits(*allowed_)) return Verdict::not_allowed;
  return blocked_ && hits(*blocked_) ? Verdict::blocked : Verdict::pass;
}

}  // namespace lunar
