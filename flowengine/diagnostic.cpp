#include "flowengine/diagnostic.h"

namespace lunar {

namespace {

// What a configuration quotes may hold line feeds and terminal sequences: neither a log nor a terminal obeys them.
void append_visible(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (char byte : text) {
    if (byte == '\n')
      out += "\\n";
    else if (const auto code = static_cast<unsigned char>(byte); code < 0x20 || code == 0x7f)
      out.append({'\\', 'x', kHex[code >> 4], kHex[code & 15]});
    else
      out += byte;
  }
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      break;
  }
  return "note";
}

std::string Diagnostic::print() const {
  std::string out;
  append_visible(out, file);
  if (at.line != 0) out += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  out += ": ";
  out += severity_name(severity);
  out += ": ";
  append_visible(out, text);
  if (!id.empty()) out += " [" + id + "]";
  return out;
}

}  // namespace lunar
