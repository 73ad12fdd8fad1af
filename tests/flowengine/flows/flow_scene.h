// A configuration written in a test, compiled, with transactions run through it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "flowengine/cases/simulation.h"
#include "flowengine/compile/compiler.h"

namespace lunar {

inline constexpr Instant scene_start{SteadyTime{std::chrono::hours(1)},
                                     std::chrono::sys_days{std::chrono::year{2025} / 6 / 15}};

class FlowScene {
 public:
  FlowScene& flow(std::string text) {
    sources_.flows.push_back({"flows/" + number() + ".yaml", std::move(text)});
    return *this;
  }
  FlowScene& quota(std::string text) {
    sources_.quotas.push_back({"quotas/" + number() + ".yaml", std::move(text)});
    return *this;
  }
  FlowScene& gateway(std::string text) {
    sources_.gateway_config = SourceFile{"gateway_config.yaml", std::move(text)};
    return *this;
  }
  FlowScene& variable(std::string name, std::string value) {
    options_.environment[std::move(name)] = std::move(value);
    return *this;
  }

  [[nodiscard]] Sources& sources() { return sources_; }
  [[nodiscard]] CompileOptions& options() { return options_; }
  [[nodiscard]] Compiled compiled() const { return compile(sources_, options_); }
  // Every finding in its printed form, one a line.
  [[nodiscard]] std::string findings() const {
    std::string out;
    for (const Diagnostic& one : compiled().diagnostics.list()) out += one.print() + "\n";
    return out;
  }
  // The plan, or a failed test with the findings.
  [[nodiscard]] std::shared_ptr<const Plan> plan() const;
  [[nodiscard]] Simulation simulation() const { return Simulation(plan(), scene_start); }

 private:
  // Two digits: the order of the files is that in which a test names them.
  [[nodiscard]] std::string number() {
    std::string text = std::to_string(++files_);
    return text.size() == 1 ? "0" + text : text;
  }

  Sources sources_;
  CompileOptions options_;
  int files_ = 0;
};

// `GET https://…` with header fields, each `name: value`.
[[nodiscard]] SimulatedRequest call(std::string_view line, std::initializer_list<std::string_view> fields = {},
                                    std::optional<std::string> body = std::nullopt);
// A field of what a client or a provider got; nothing: absent.
[[nodiscard]] std::optional<std::string> field(const HeaderList& fields, std::string_view name);

// A flow whose request side runs one processor and goes on, by what its output may be called.
[[nodiscard]] std::string flow_with(std::string_view name, std::string_view filter, std::string_view processors,
                                    std::string_view request, std::string_view response = "");

}  // namespace lunar
