// The one reader of YAML text (flows.md §1.2): everything that people write by hand comes through here.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "flowengine/diagnostic.h"
#include "flowengine/spec/value.h"

namespace lunar {

inline constexpr size_t max_document_bytes = 1024 * 1024;
inline constexpr size_t max_document_nodes = 100'000;  // after alias expansion

// The document, or nothing when a finding of severity error was added. Aliases are expanded and merge keys applied; an
// empty file is a null value.
[[nodiscard]] std::optional<Value> read_document(std::string_view file, std::string_view text, Diagnostics& out);

}  // namespace lunar
