// As much of JSON Schema as the schemas of this repository use. A keyword that it does not know is a fault.
#pragma once

#include <string>

#include "flowengine/expr/json.h"
#include "flowengine/spec/value.h"

namespace lunar {

// Where and why `value` does not fit; empty: it fits.
[[nodiscard]] std::string schema_fault(const Json& schema, const Json& value);
[[nodiscard]] std::string schema_fault_of_yaml(const Json& schema, std::string_view text);

}  // namespace lunar
