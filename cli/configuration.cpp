#include "cli/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ostream>

#include "agent/config/config_folder.h"
#include "agent/config/gateway_config.h"
#include "cli/text_file.h"
#include "flowengine/quantity.h"
#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

constexpr std::string_view settings_file = "lunard.yaml";

EnvironmentVariables own_environment() {
  EnvironmentVariables out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t sign = text.find('=');
    if (sign != std::string_view::npos) out.emplace(text.substr(0, sign), text.substr(sign + 1));
  }
  return out;
}

std::optional<std::chrono::milliseconds> duration(const Value& value, Reader& reader) {
  const auto out = value.kind == Value::Kind::scalar ? parse_duration(value.text) : std::nullopt;
  if (!out) reader.error(value.at, "bad-type", "expected a duration such as 10s, found " + describe(value));
  return out;
}

// The two settings on which a check depends; the daemon looks at the rest when it starts.
void read_timeouts(Configuration& out) {
  const Result<std::string> text = read_text(out.root + "/" + std::string(settings_file));
  if (!text) {
    if (text.error().os_error != ENOENT)
      out.findings.add({std::string(settings_file), {}, Severity::error, "file-unusable", text.error().text});
    return;
  }
  const auto document = read_document(settings_file, *text, out.findings);
  const Value* flows = document && document->kind == Value::Kind::map ? document->get("flows") : nullptr;
  if (flows == nullptr || flows->kind != Value::Kind::map) return;
  Reader reader(settings_file, out.findings);
  const Value* processing = flows->get("processing_timeout");
  const bool automatic = processing != nullptr && processing->text == "auto";
  if (processing != nullptr && !automatic) out.options.processing_timeout = duration(*processing, reader);
  if (const Value* retry = flows->get("retry_timeout"))
    out.options.retry_timeout = duration(*retry, reader).value_or(out.options.retry_timeout);
}

json to_json(const Diagnostic& one) {
  return {
      {"file", one.file}, {"line", one.at.line}, {"column", one.at.column}, {"severity", severity_name(one.severity)},
      {"id", one.id},     {"text", one.text}};
}

std::string painted(const Palette& palette, const Diagnostic& one) {
  std::string line = printable(one.print());
  const std::string severity = std::string(severity_name(one.severity)) + ":";
  const size_t at = line.find(severity, std::min(line.size(), one.file.size()));
  if (at == std::string::npos) return line;
  const std::string word = one.severity == Severity::error     ? palette.bad(severity)
                           : one.severity == Severity::warning ? palette.warning(severity)
                                                               : palette.faint(severity);
  return line.substr(0, at) + word + line.substr(at + severity.size());
}

}  // namespace

std::string default_config_dir() {
  for (const char* name : {"LUNAR_CONFIG_DIR", "LUNAR_PROXY_CONFIG_DIR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return std::string(wire::kDefaultConfigDir);
}

std::expected<Configuration, int> open_configuration(const Session& session, const std::string& given) {
  Configuration out{.root = given.empty() ? session.config_dir : given, .sources = {}, .options = {}, .findings = {}};
  Result<ConfigFolder> folder = read_config_folder(out.root);
  const bool readable = ::access(out.root.c_str(), R_OK | X_OK) == 0;
  if (!folder || !readable) {
    const int error = folder ? errno : folder.error().os_error;
    const std::string why = folder ? "cannot read " + out.root : folder.error().text;
    return std::unexpected(complain(
        session,
        why + (error == ENOTDIR ? "" : std::string(": ") + std::strerror(error)) + "; name a configuration folder",
        wire::Exit::usage));
  }
  out.sources = std::move(folder->sources);
  out.findings = std::move(folder->unreadable);
  out.options.environment = named_variables(out.sources, own_environment());
  read_timeouts(out);
  return out;
}

Compiled compile_all(const Configuration& configuration) {
  Compiled out = compile(configuration.sources, configuration.options);
  Diagnostics all = configuration.findings;
  for (const Diagnostic& one : out.diagnostics.list()) all.add(one);
  out.diagnostics = std::move(all);
  return out;
}

Diagnostics check_named_files(const Configuration& configuration, const GatewaySpec& spec) {
  return resolve_gateway_config(spec, configuration.root).diagnostics;
}

void print_findings(const Session& session, std::ostream& out, const Diagnostics& findings) {
  const Palette palette(session.terminal.color);
  const auto& list = findings.list();
  for (size_t i = 0; i < std::min(list.size(), most_findings); ++i) out << painted(palette, list[i]) << '\n';
  if (list.size() > most_findings) out << "and " << plural(list.size() - most_findings, "further finding") << '\n';
}

json findings_document(const std::string& message, const Diagnostics& findings) {
  json list = json::array();
  for (const Diagnostic& one : findings.list())
    if (list.size() < most_findings) list.push_back(to_json(one));
  json out{{wire::key::kMessage, message}, {"diagnostics", std::move(list)}};
  if (const Diagnostic* first = findings.first_error()) out[wire::key::kError] = first->print();
  return out;
}

}  // namespace lunar::cli
