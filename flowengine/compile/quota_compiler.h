// Quota files (flows.md §8.1) to the nodes of a plan.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "flowengine/compile/filter_compiler.h"
#include "flowengine/plan/plan.h"

namespace lunar {

class QuotaCompiler {
 public:
  explicit QuotaCompiler(Diagnostics& out) : out_(out) {}

  // Adds the nodes of one file to `plan`, with their patterns. False where the file has an error: nothing was added.
  [[nodiscard]] bool compile(std::string_view file, const Value& document, Plan& plan);
  // The node of that id in the plan.
  [[nodiscard]] std::optional<uint32_t> node(std::string_view id) const;
  // Ids that stand in files with an error.
  [[nodiscard]] bool skipped(std::string_view id) const { return skipped_.contains(id); }

 private:
  struct Place {
    std::string file;
    Position at;
  };
  struct Known {
    Place place;
    uint32_t node = 0;
  };
  friend class QuotaFile;

  Diagnostics& out_;
  std::map<std::string, Known, std::less<>> ids_;
  std::map<std::string, Place, std::less<>> hosts_;
  std::set<std::string, std::less<>> skipped_;
};

}  // namespace lunar
