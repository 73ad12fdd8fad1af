// What holds for every head that a parser accepts, and for every verdict on a prefix of it.
#pragma once

#include <string>

#include "agent/http/serializer.h"
#include "tests/fuzz/invariant.h"

namespace lunar::fuzz {

inline void check_accepted_head(std::string_view text, const http::MessageHead& head) {
  require(head.size <= text.size() && head.size <= http::max_head_size, "a head ends inside of its bytes");
  std::string_view bytes = text.substr(0, head.size);
  require(bytes.ends_with("\r\n\r\n"), "a head ends with an empty line");
  require(head.fault == nullptr, "an accepted head has no fault");
  require(http::find_head_end(text, 0) == head.size, "the end of a head is found without parsing it");
  for (size_t i = 0; i < head.fields.size(); ++i) {
    const http::Field& field = head.fields[i];
    require(inside(field.name, bytes) && inside(field.value, bytes), "fields are views into the head");
    require(!field.name.empty(), "a field has a name");
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "a value is one line");
    require(field.kind == http::field_kind(field.name), "the kind of a field is that of its name");
    std::string_view line = http::field_line(bytes, head.fields.span(), i);
    require(inside(line, bytes) && line.ends_with("\r\n"), "a field line ends with its line");
  }
  std::string copy(head.size, '\0');
  auto nothing = [](const http::Field&) { return false; };
  require(http::copy_without(bytes, head.fields, nothing, copy) == head.size && copy == bytes, "a copy is the same");
}

// parse(prefix) is incomplete until one prefix has the verdict of the whole, and keeps it from there on.
template <class Parse>
void check_prefixes(std::string_view text, Parse parse) {
  http::ParseState whole = parse(text);
  bool decided = false;
  for_each_prefix(text, [&](size_t size) {
    Exact prefix(text.substr(0, size));
    http::ParseState state = parse(prefix.view());
    require(state == whole || (state == http::ParseState::incomplete && !decided), "a prefix never contradicts");
    decided = decided || state != http::ParseState::incomplete;
  });
}

}  // namespace lunar::fuzz
