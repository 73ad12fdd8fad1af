// A configuration folder on this machine, as the verbs that need no daemon look at it, and findings on a screen.
#pragma once

#include <expected>
#include <string>

#include "cli/session.h"
#include "flowengine/compile/compiler.h"

namespace lunar::cli {

inline constexpr size_t most_findings = 200;  // that are printed (flows.md §1.3)

struct Configuration {
  std::string root;
  Sources sources;
  CompileOptions options;  // timeouts of lunard.yaml; variables of this process
  Diagnostics findings;    // files that cannot be read, and faults of those timeouts
};

// LUNAR_CONFIG_DIR or LUNAR_PROXY_CONFIG_DIR, where no option names another folder (flows.md §1.1).
[[nodiscard]] std::string default_config_dir();

// The folder `given`, or the session's where that is empty. Else the exit code, with the reason already printed.
[[nodiscard]] std::expected<Configuration, int> open_configuration(const Session& session, const std::string& given);
// Compiled, with all findings in one list.
[[nodiscard]] Compiled compile_all(const Configuration& configuration);
// Files and folders that gateway_config.yaml names, by the daemon's own check, with the rights of this process.
[[nodiscard]] Diagnostics check_named_files(const Configuration& configuration, const GatewaySpec& spec);

// One a line, as Diagnostic::print() has them.
void print_findings(const Session& session, std::ostream& out, const Diagnostics& findings);
// {"msg","error","diagnostics"}, as the daemon answers (flows.md §1.3).
[[nodiscard]] nlohmann::json findings_document(const std::string& message, const Diagnostics& findings);

}  // namespace lunar::cli
