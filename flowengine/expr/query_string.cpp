#include "flowengine/expr/query_string.h"

#include <charconv>

namespace lunar {
namespace {

// Calls visit(name, value) with undecoded texts until it answers false.
template <class Visit>
void each_member(std::string_view query, Visit visit) {
  while (!query.empty()) {
    std::string_view member = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(member.size() + 1, query.size()));
    size_t equals = std::min(member.find('='), member.size());
    if (member.empty()) continue;
    if (!visit(member.substr(0, equals), member.substr(std::min(equals + 1, member.size())))) return;
  }
}

bool is_named(std::string_view undecoded, std::string_view name) {
  if (undecoded.find_first_of("%+") == std::string_view::npos) return undecoded == name;
  return decode_query_text(undecoded) == name;
}

}  // namespace

std::string decode_query_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    std::string_view digits = text.substr(i).starts_with('%') ? text.substr(i + 1, 2) : std::string_view();
    bool escape =
        digits.size() == 2 && std::from_chars(digits.data(), digits.data() + 2, byte, 16).ptr == digits.data() + 2;
    if (escape) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query_string(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  each_member(query, [&out](std::string_view name, std::string_view value) {
    out.emplace_back(decode_query_text(name), decode_query_text(value));
    return true;
  });
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view wanted) {
  std::optional<std::string> out;
  each_member(query, [&out, wanted](std::string_view name, std::string_view value) {
    if (is_named(name, wanted)) out = decode_query_text(value);
    return !out;
  });
  return out;
}

}  // namespace lunar
