#include "flowengine/processors/query_edit.h"

#include <algorithm>

#include "flowengine/expr/query_string.h"

namespace lunar {
namespace {

std::string encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
                 std::string_view("-._~").contains(c);
    if (plain) {
      out.push_back(c);
    } else {
      out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return out;
}

// Calls visit(piece, decoded name) for each `name=value`.
template <class Visit>
void for_each_piece(std::string_view query, Visit visit) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!piece.empty()) visit(piece, decode_query_text(piece.substr(0, piece.find('='))));
  }
}

void append_piece(std::string& out, std::string_view piece) {
  if (!out.empty()) out.push_back('&');
  out.append(piece);
}

}  // namespace

std::string without_query_param(std::string_view query, std::string_view name) {
  std::string out;
  for_each_piece(query, [&](std::string_view piece, const std::string& written) {
    if (written != name) append_piece(out, piece);
  });
  return out;
}

std::string with_query_param(std::string_view query, std::string_view name, std::string_view value) {
  std::string out;
  bool placed = false;
  const std::string replacement = encoded(name) + "=" + encoded(value);
  for_each_piece(query, [&](std::string_view piece, const std::string& written) {
    if (written != name) return append_piece(out, piece);
    if (!placed) append_piece(out, replacement);
    placed = true;
  });
  if (!placed) append_piece(out, replacement);
  return out;
}

}  // namespace lunar
