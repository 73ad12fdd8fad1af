// JSON Schemas (draft 2020-12) of the files of a configuration root, for editors and pipelines. What concerns
// processors comes from their parameter tables.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "flowengine/expr/json.h"

namespace lunar {

enum class FileKind : uint8_t { flow, quota, path_params, metrics, gateway_config };
[[nodiscard]] std::span<const std::string_view> file_kind_names();  // in the order of the enumeration

// What a schema accepts loads without a warning; a file that only the loader accepts has one. References between files
// and inside of texts are the loader's.
[[nodiscard]] Json schema_of(FileKind kind);

}  // namespace lunar
