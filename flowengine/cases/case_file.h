// Example transactions in YAML beside flows, and what differs from what they expect (`lunarctl flows test`). The format
// is described in flowengine/README.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flowengine/cases/simulation.h"
#include "flowengine/diagnostic.h"

namespace lunar {

struct CaseResult {
  std::string name;
  std::vector<std::string> differences;  // one line each; empty: as expected
};

// Runs one file over a plan, from a fixed instant on. Findings are about the file itself.
[[nodiscard]] std::vector<CaseResult> run_cases(std::string_view file, std::string_view text,
                                                const std::shared_ptr<const Plan>& plan,
                                                const Simulation::ScriptRunner& scripts, Diagnostics& out);

}  // namespace lunar
