// Every file of tests/data/bad makes exactly the findings that it says, and every id of flows.md §9 has such a file.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/flowengine/flows/config_folder.h"

namespace lunar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ids[] = {
    // flows.md §9
    "bad-yaml",
    "duplicate-key",
    "file-too-large",
    "second-document",
    "unknown-key",
    "unknown-parameter",
    "coerced",
    "bad-type",
    "out-of-range",
    "dialect",
    "flow-name-required",
    "duplicate-flow",
    "filter-required",
    "filter-url-required",
    "connection-not-defined",
    "connection-from",
    "connection-to",
    "connection-end",
    "connection-name",
    "invalid-connection",
    "flow-not-found",
    "processor-unknown",
    "too-many-dots",
    "condition-not-found",
    "condition-missing",
    "no-root",
    "unconnected",
    "circular",
    "processor-not-found",
    "param-entry",
    "param-required",
    "no-filter-criteria",
    "transform-empty",
    "bad-transform-target",
    "bad-script",
    "unused-processor",
    "wrong-direction",
    "early-response-no-edge",
    "param-name-conflict",
    "host-only-pattern",
    "bad-wildcard",
    "bad-url",
    "bad-regex",
    "bad-operation",
    "bad-jsonpath",
    "bad-expression-root",
    "quota-not-found",
    "quotas-required",
    "quota-id",
    "duplicate-quota",
    "quota-filter-required",
    "quota-strategy",
    "quota-parent",
    "quota-hosts",
    "spillover-needs-renewal",
    "queue-ttl",
    "retry-too-long",
    "exporter-unknown",
    "exporter-unsupported",
    "encoding-fallback",
    "not-implemented",
    "plugins-unsupported",
    "policies-ignored",
    // gateway.md §4, as far as the engine reads it
    "duplicate-domain",
    "unverified-tls",
    // §7.6 and §7.7: warnings that have no row in §9
    "environment-unset",
    "shared-authorized",
};

struct Expectation {
  ConfigFolder folder;
  std::string findings;
};

SourceFile& place_of(Sources& sources, const std::string& kind) {
  std::vector<SourceFile>* list = kind == "flows"    ? &sources.flows
                                  : kind == "quotas" ? &sources.quotas
                                                     : &sources.path_params;
  if (kind == "gateway_config") return sources.gateway_config.emplace(SourceFile{"gateway_config.yaml", ""});
  if (kind == "metrics") return sources.metrics.emplace(SourceFile{"metrics.yaml", ""});
  return list->emplace_back(SourceFile{kind + "/bad.yaml", ""});
}

// `# flows: 12:9: error: text [id]` lines at the front, each a finding; the word says where the file belongs.
Expectation read_single(const fs::path& path) {
  Expectation out;
  const std::string text = read_text_file(path);
  std::istringstream lines(text);
  std::string kind;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (!line.starts_with("# ") || colon == std::string::npos) break;
    kind = line.substr(2, colon - 2);
    const bool of_folder = kind == "flows" || kind == "quotas" || kind == "path_params";
    out.findings += kind + (of_folder ? "/bad.yaml:" : ".yaml:") + line.substr(colon + 2) + "\n";
  }
  place_of(out.folder.sources, kind).text = text;
  return out;
}

Expectation read_expectation(const fs::path& path) {
  if (!fs::is_directory(path)) return read_single(path);
  Expectation out{.folder = read_config_folder(path), .findings = {}};
  out.findings = out.folder.expected;
  return out;
}

std::string id_of(const std::string& finding) {
  const size_t open = finding.rfind('[');
  return open == std::string::npos ? "" : finding.substr(open + 1, finding.size() - open - 2);
}

TEST_CASE("bad files: each makes exactly the findings that it says") {
  for (const fs::path& path : entries_of(test_data() / "bad")) {
    CAPTURE(path.filename().string());
    const Expectation wanted = read_expectation(path);
    CHECK_FALSE(wanted.findings.empty());
    const Compiled out = compile(wanted.folder.sources, wanted.folder.options);
    CHECK(printed(out.diagnostics) == wanted.findings);
    CHECK((out.plan == nullptr) == out.diagnostics.has_errors());
  }
}

TEST_CASE("bad files: every id has one that is named after it, and no other id is made") {
  std::set<std::string> shown, named;
  for (const fs::path& path : entries_of(test_data() / "bad")) {
    const Expectation wanted = read_expectation(path);
    std::istringstream lines(wanted.findings);
    std::set<std::string> here;
    for (std::string line; std::getline(lines, line);) here.insert(id_of(line));
    for (const std::string& id : here) {
      const std::string name = path.stem().string();
      if (name == id || name.starts_with(id + "-")) named.insert(id);
    }
    shown.merge(here);
  }
  for (std::string_view id : ids) {
    CAPTURE(id);
    CHECK(named.contains(std::string(id)));
  }
  for (const std::string& id : shown) {
    CAPTURE(id);
    CHECK(std::ranges::find(ids, id) != std::end(ids));
  }
}

}  // namespace
}  // namespace lunar
