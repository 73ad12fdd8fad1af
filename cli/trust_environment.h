// What programs are told that have roots of their own: files below the authority's folder, and variables that name
// them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/trust_roots.h"
#include "cli/trust_tree.h"
#include "flowengine/result.h"

namespace lunar::cli {

inline constexpr const char* java_variable = "JAVA_TOOL_OPTIONS";  // the one that is added to, and not replaced
inline constexpr const char* java_option = "-Djavax.net.ssl.trustStore=";

struct TrustEnvironment {
  std::vector<std::pair<std::string, std::string>> variables;
  std::string note;  // why Java's is missing; empty: it is there
};

// Writes bundle.pem (the roots of `tree` and ours), roots.pem (ours) and, if keytool can, truststore.jks (those of Java
// and ours) into `folder`, each one whole. After an error some are new; those are right.
[[nodiscard]] Result<TrustEnvironment> write_trust_environment(const std::string& folder, const FileTree& tree,
                                                               const std::vector<Root>& roots);
// Whether that was done before, so that a change of the roots concerns those files.
[[nodiscard]] bool has_trust_environment(const std::string& folder);

}  // namespace lunar::cli
