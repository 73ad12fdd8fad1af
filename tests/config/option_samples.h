// Values to test every option with, in the spelling of lunard.yaml.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/config/option.h"

namespace lunar::test {

struct Sample {
  std::vector<std::string> good;
  std::vector<std::string> bad;
  // Variable by variable, as the table lists them: {value, what the option then is}.
  std::vector<std::pair<std::string, std::string>> variables;
};

[[nodiscard]] const std::map<std::string, Sample, std::less<>>& option_samples();
// Ends the test case where there are none.
[[nodiscard]] const Sample& samples_of(const Option& option);

}  // namespace lunar::test
