// Files of a configuration root to a plan, and a request through what comes out.
#include "flowengine/cases/simulation.h"
#include "flowengine/compile/compiler.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

void run_through(const std::shared_ptr<const Plan>& plan) {
  Simulation run(
      plan, {SteadyTime{std::chrono::hours(1)}, WallTime(std::chrono::sys_days{std::chrono::year{2025} / 6 / 15})});
  SimulatedRequest request{
      .method = "POST", .url = "http://a.example.com/v1/x?y=1", .headers = {{"x-team", "a"}}, .body = R"({"a":[1]})"};
  run.send("a", request);
  for (int attempt = 0; attempt < 3 && !run.outcomes("a").done; ++attempt) {
    if (run.at_provider("a"))
      run.answer("a", {.status = 503, .headers = {{"retry-after", "1"}}, .body = R"({"usage":{"total_tokens":3}})"});
    run.advance(std::chrono::seconds(3));
  }
  run.leave("a");
  require(run.outcomes("a").done, "a client that leaves has no transaction");
}

}  // namespace

// The input is a flow, then a quota file behind a line of `---`.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find("\n---\n");
  Sources sources;
  sources.flows.push_back({"flows/a.yaml", std::string(text.substr(0, cut))});
  if (cut != std::string_view::npos) sources.quotas.push_back({"quotas/a.yaml", std::string(text.substr(cut + 5))});
  Compiled strict = compile(sources, {});
  require((strict.plan == nullptr) == strict.diagnostics.has_errors(), "a plan, or an error");
  for (const Diagnostic& finding : strict.diagnostics.list())
    require(finding.print().find('\n') == std::string::npos, "a finding is one line");
  Compiled lenient = compile(sources, {.lenient = true});
  require(lenient.plan != nullptr, "a lenient boot always has a plan");
  if (strict.plan != nullptr) run_through(strict.plan);
  return 0;
}
