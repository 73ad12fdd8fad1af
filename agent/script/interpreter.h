// One call of a script in an interpreter of its own. It may take the process with it; that is why it has one.
#pragma once

#include <cstddef>
#include <string>

#include "agent/script/frame.h"
#include "agent/script/pristine_heap.h"

namespace lunar::script {

struct Outcome {
  bool success = false;
  bool memory_refused = false;
  std::string text;  // the changes as JSON, or the reason
};

class Interpreter {
 public:
  Interpreter();  // prepares what is the same for all calls
  [[nodiscard]] Outcome run(const CallTexts& texts, size_t max_heap);

 private:
  PristineHeap heap_;
};

}  // namespace lunar::script
