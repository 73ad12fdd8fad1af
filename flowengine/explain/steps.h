// A flow of a plan as people read it: its steps by name, what each does, and what leads where.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flowengine/explain/declarations.h"
#include "flowengine/plan/plan.h"

namespace lunar {

struct StepEdge {
  std::string output;            // by which it is taken; empty: by every one
  std::optional<size_t> target;  // in DirectionSteps::steps; nothing: the end of the stream
  bool answer_only = false;      // behind an early response alone
};

struct Step {
  std::string name;  // the processor's key, with its flow in front if that is another one
  std::string type;
  std::string help;                  // what the type does
  std::string parameters;            // in one line
  bool idle = false;                 // does nothing in this direction
  bool answers = false;              // may answer without the provider
  std::vector<std::string> outputs;  // all of its type; empty: one, unnamed
  std::vector<StepEdge> edges;
};

struct DirectionSteps {
  bool rooted = false;
  std::vector<StepEdge> root;
  std::vector<Step> steps;
  std::vector<size_t> behind_answers;  // steps at which the response side begins if they answered
};

struct FlowSteps {
  std::string name, file;
  std::vector<std::string> patterns;
  std::vector<std::string> conditions;           // of the request side, `methods: GET, HEAD`
  std::vector<std::string> response_conditions;  // without which its response side does not run
  bool shadow = false;
  bool blocks_on_error = false;
  DirectionSteps request, response;
};

// That no edge takes; there the branch ends.
[[nodiscard]] std::vector<std::string> open_outputs(const Step& step);

[[nodiscard]] FlowSteps steps_of(const Plan& plan, const Flow& flow, const Declarations& declarations);

}  // namespace lunar
