// What flow files say in words and a plan no longer knows: parameters as they were written, globs, paths.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/compile/compiler.h"
#include "flowengine/spec/value.h"

namespace lunar {

// One line of a value, cut where it is long: `"text"`, `12`, `[a, b]`, `{a: 1}`.
[[nodiscard]] std::string brief_text(const Value& value, size_t longest);

class Declarations {
 public:
  // Files that cannot be read say nothing; whoever compiles them tells why.
  explicit Declarations(const Sources& sources);

  // `quota_id: Daily, queue_size: 200`; empty where the processor has no parameters, or is not known.
  [[nodiscard]] std::string parameters(std::string_view flow, std::string_view key) const;
  // The texts of one list of a flow's filter, as `processes`.
  [[nodiscard]] const std::vector<std::string>& filter_texts(std::string_view flow, std::string_view key) const;

 private:
  struct Declared {
    std::map<std::string, std::string, std::less<>> parameters;  // by processor key
    std::map<std::string, std::vector<std::string>, std::less<>> filter;
  };
  static Declared read(const Value& document);

  std::map<std::string, Declared, std::less<>> flows_;  // by name
};

}  // namespace lunar
