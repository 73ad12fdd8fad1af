// The JSON Schema (draft 2020-12) of lunard.yaml, from the option table, for editors and pipelines.
#pragma once

#include "flowengine/expr/json.h"

namespace lunar {

// What it accepts loads without a warning, as with those of flowengine/explain/schema.h. The loader's alone are: ranges
// of durations and sizes, which the descriptions tell; entries of lists; rules that concern more than one key.
[[nodiscard]] Json lunard_schema();

}  // namespace lunar
