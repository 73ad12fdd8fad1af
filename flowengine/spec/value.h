// A YAML document as a tree in which everything knows where it stands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/diagnostic.h"

namespace lunar {

struct Entry;

struct Value {
  enum class Kind : uint8_t { null, scalar, list, map };
  // What the core schema of YAML 1.2 makes of a scalar. Quoted ones are always strings.
  enum class ScalarType : uint8_t { string, boolean, integer, number };

  Kind kind = Kind::null;
  ScalarType type = ScalarType::string;  // of a scalar
  Position at;
  std::string text;            // of a scalar, as it was written
  std::vector<Value> items;    // of a list
  std::vector<Entry> entries;  // of a map, in order, without duplicates

  [[nodiscard]] const Entry* find(std::string_view key) const;  // of a map
  // What a key means: nullptr where it is absent or null, which is the same.
  [[nodiscard]] const Value* get(std::string_view key) const;
};

struct Entry {
  std::string key;
  Position key_at;
  Value value;
};

[[nodiscard]] Value::ScalarType plain_scalar_type(std::string_view text);
[[nodiscard]] bool is_plain_null(std::string_view text);

}  // namespace lunar
