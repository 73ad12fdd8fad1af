#include "flowengine/diagnostic.h"

namespace lunar {

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
  std::string out = file;
  if (at.line != 0) out += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  out += ": ";
  out += severity_name(severity);
  out += ": " + text;
  if (!id.empty()) out += " [" + id + "]";
  return out;
}

}  // namespace lunar
