#pragma once

#include "flowengine/expr/json.h"

namespace lunar::schema {

// One file each: the schema without what all have in common.
[[nodiscard]] Json flow_file(Json& definitions);
[[nodiscard]] Json quota_file(Json& definitions);

}  // namespace lunar::schema
