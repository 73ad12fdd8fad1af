// lunarctl as a function, with what it printed.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/lunarctl.h"

namespace lunar::cli::testing {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

inline Outcome run(std::vector<std::string> arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = lunarctl(std::move(arguments), {out, err});
  return {code, out.str(), err.str()};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace lunar::cli::testing
