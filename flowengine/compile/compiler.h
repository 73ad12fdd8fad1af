// From the texts of a configuration folder to one plan: the same function for lunard, its API and `lunarctl flows
// validate` (flows.md §1).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flowengine/compile/gateway_spec.h"
#include "flowengine/compile/metrics_spec.h"
#include "flowengine/diagnostic.h"
#include "flowengine/plan/plan.h"

namespace lunar {

struct SourceFile {
  std::string path;  // relative to the configuration root
  std::string text;
};

// What a configuration root holds, in byte order of the paths. lunard.yaml is not among it.
struct Sources {
  std::vector<SourceFile> flows, quotas, path_params;
  std::optional<SourceFile> gateway_config, metrics, user_processors, policies;
};

struct CompileOptions {
  // A file with an error is left out, and whatever depends on it; else one error refuses the whole (flows.md §1.5).
  // What gateway_config.yaml says of single providers (mTLS, provider_tls) is not left out: its entries know their own
  // faults.
  bool lenient = false;
  std::optional<std::chrono::milliseconds> processing_timeout;  // where it is set
  std::chrono::milliseconds retry_timeout{100'000};
  std::map<std::string, std::string, std::less<>> environment;  // for `$NAME` in TransformAPICall
};

struct Compiled {
  std::shared_ptr<const Plan> plan;  // null where it was refused
  GatewaySpec gateway;
  MetricsSpec metrics;
  Diagnostics diagnostics;
  std::vector<std::string> skipped;  // paths of files that are not in effect; lenient alone
};

[[nodiscard]] Compiled compile(const Sources& sources, const CompileOptions& options);

}  // namespace lunar
