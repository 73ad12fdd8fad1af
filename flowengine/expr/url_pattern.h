// URL patterns of flows.md §4: `host[:port]` and path, with parameters and wildcards.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/expr/path_pattern.h"

namespace lunar {

class UrlPattern {
 public:
  // From the most specific to the least.
  enum class HostKind : uint8_t { literal, parameters, leading, trailing, every };

  // What was accepted and deserves a finding.
  struct Remarks {
    bool scheme_dropped = false;
    bool query_dropped = false;
    bool empty = false;
    bool host_only = false;  // a host without a path; not where that is the only way to write it
  };
  // Two parameters of one position take the same place of the same patterns, whatever their names.
  struct Parameter {
    std::string name;
    std::string position;
  };

  // Faults are `bad-wildcard` or `bad-url`.
  [[nodiscard]] static std::expected<UrlPattern, ExpressionFault> parse(std::string_view text);
  // Any host, and the path of a filter's `path` or of an endpoint.
  [[nodiscard]] static std::expected<UrlPattern, ExpressionFault> parse_path(std::string_view text);
  // A pattern without a path, with that one.
  [[nodiscard]] UrlPattern with_path(const UrlPattern& path) const;

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const Remarks& remarks() const { return remarks_; }
  [[nodiscard]] bool has_path() const { return has_path_; }
  [[nodiscard]] HostKind host_kind() const { return host_kind_; }
  [[nodiscard]] const std::vector<PatternPiece>& labels() const { return labels_; }  // without `*`, left to right
  [[nodiscard]] uint16_t port() const { return port_; }                              // 0: any
  [[nodiscard]] const PathPattern& path() const { return path_; }
  [[nodiscard]] std::vector<Parameter> parameters() const;

  // `host` in lower case, IPv6 without brackets, as requests have it.
  [[nodiscard]] bool matches(std::string_view host, uint16_t port, std::string_view path) const;
  [[nodiscard]] PathParams params(std::string_view host, std::string_view path) const;  // of a URL that matches

  // Greater is more specific; equivalent patterns are ordered by other things.
  [[nodiscard]] std::weak_ordering compare_specificity(const UrlPattern& other) const { return rank_ <=> other.rank_; }

 private:
  [[nodiscard]] bool has_params() const;
  [[nodiscard]] std::optional<ExpressionFault> parse_host(std::string_view text, size_t offset);
  [[nodiscard]] std::optional<ExpressionFault> parse_labels(std::string_view name, size_t offset);
  [[nodiscard]] std::optional<ExpressionFault> parse_label(std::string_view label, size_t offset);
  [[nodiscard]] std::optional<ExpressionFault> parse_path_part(std::string_view text, size_t offset);
  void set_rank();

  std::string text_;
  Remarks remarks_;
  HostKind host_kind_ = HostKind::every;
  std::vector<PatternPiece> labels_;
  uint16_t port_ = 0;
  bool has_path_ = false;
  PathPattern path_;
  std::string rank_;
};

// Takes the last label off a host name; an IPv6 literal is one label.
[[nodiscard]] std::string_view take_last_label(std::string_view& host);
[[nodiscard]] std::string_view take_first_label(std::string_view& host);

}  // namespace lunar
