#include "tests/flowengine/flows/config_folder.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "flowengine/quantity.h"
#include "flowengine/spec/document.h"

namespace lunar {
namespace {

namespace fs = std::filesystem;

bool is_yaml(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

std::vector<SourceFile> read_folder(const fs::path& root, const std::string& name) {
  std::vector<SourceFile> out;
  if (!fs::is_directory(root / name)) return out;
  for (const fs::path& path : entries_of(root / name))
    if (is_yaml(path)) out.push_back({name + "/" + path.filename().string(), read_text_file(path)});
  return out;
}

std::optional<SourceFile> read_one(const fs::path& root, const std::string& name) {
  if (!fs::exists(root / name)) return std::nullopt;
  return SourceFile{name, read_text_file(root / name)};
}

// The two settings of lunard.yaml that a check of flows depends on.
void read_timeouts(const fs::path& path, CompileOptions& out) {
  if (!fs::exists(path)) return;
  Diagnostics findings;
  auto document = read_document("lunard.yaml", read_text_file(path), findings);
  const Value* flows = document ? document->get("flows") : nullptr;
  if (flows == nullptr) return;
  if (const Value* timeout = flows->get("processing_timeout")) out.processing_timeout = parse_duration(timeout->text);
  if (const Value* timeout = flows->get("retry_timeout"))
    out.retry_timeout = parse_duration(timeout->text).value_or(out.retry_timeout);
}

void read_environment(const std::string& text, CompileOptions& out) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t sign = line.find('=');
    if (sign != std::string::npos) out.environment[line.substr(0, sign)] = line.substr(sign + 1);
  }
}

}  // namespace

std::string read_text_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (!entry.path().filename().string().starts_with('.')) out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

std::string printed(const Diagnostics& findings) {
  std::string out;
  for (const Diagnostic& one : findings.list()) out += one.print() + "\n";
  return out;
}

ConfigFolder read_config_folder(const fs::path& root) {
  ConfigFolder out;
  out.sources = {.flows = read_folder(root, "flows"),
                 .quotas = read_folder(root, "quotas"),
                 .path_params = read_folder(root, "path_params"),
                 .gateway_config = read_one(root, "gateway_config.yaml"),
                 .metrics = read_one(root, "metrics.yaml"),
                 .user_processors = read_one(root, "user_processors/processors_config.yaml"),
                 .policies = read_one(root, "policies.yaml")};
  out.cases = read_folder(root, "tests");
  out.expected = read_text_file(root / "expected");
  read_timeouts(root / "lunard.yaml", out.options);
  read_environment(read_text_file(root / "environment"), out.options);
  return out;
}

fs::path test_data() { return LUNAR_TEST_DATA; }

}  // namespace lunar
