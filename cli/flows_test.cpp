// flows test: example transactions against a configuration folder, without daemon, network and clock
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/configuration.h"
#include "cli/flows.h"
#include "cli/text_file.h"
#include "flowengine/cases/case_file.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct FileResult {
  std::string file;
  std::vector<CaseResult> cases;
};

struct Tally {
  size_t cases = 0, failed = 0;
};

bool is_case_file(const fs::path& path) {
  const std::string name = path.filename().string();
  const bool hidden = name.starts_with('.') || name.ends_with('~');
  return !hidden && (path.extension() == ".yaml" || path.extension() == ".yml");
}

std::vector<std::string> case_files(const std::string& root) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(root + "/tests", ignored))
    if (is_case_file(entry.path()) && !entry.is_directory(ignored))
      out.push_back((fs::path("tests") / entry.path().filename()).string());
  std::ranges::sort(out);
  return out;
}

std::vector<FileResult> run_files(const std::string& root, const std::shared_ptr<const Plan>& plan,
                                  Diagnostics& findings) {
  std::vector<FileResult> out;
  for (const std::string& file : case_files(root)) {
    const Result<std::string> text = read_text((fs::path(root) / file).string());
    if (text) {
      out.push_back({file, run_cases(file, *text, plan, {}, findings)});
    } else {
      findings.add({file, {}, Severity::error, "file-unusable", text.error().text});
    }
  }
  return out;
}

Tally tally(const std::vector<FileResult>& results) {
  Tally out;
  for (const FileResult& file : results) {
    out.cases += file.cases.size();
    out.failed += static_cast<size_t>(
        std::ranges::count_if(file.cases, [](const CaseResult& one) { return !one.differences.empty(); }));
  }
  return out;
}

json to_json(const std::vector<FileResult>& results) {
  json out = json::array();
  for (const FileResult& file : results)
    for (const CaseResult& one : file.cases)
      out.push_back(
          {{"file", file.file}, {"name", one.name}, {"ok", one.differences.empty()}, {"differences", one.differences}});
  return out;
}

void print_results(const Session& session, const std::vector<FileResult>& results) {
  const Palette palette = session.palette();
  std::ostream& out = session.terminal.out;
  for (const FileResult& file : results) {
    for (const CaseResult& one : file.cases) {
      if (one.differences.empty()) continue;
      out << palette.bad("failed") << ' ' << printable(file.file) << ": " << palette.strong(printable(one.name))
          << '\n';
      for (const std::string& difference : one.differences) out << "  " << printable(difference) << '\n';
    }
  }
}

int run_tests(const Session& session, const std::string& dir) {
  const auto configuration = open_configuration(session, dir);
  if (!configuration) return configuration.error();
  Compiled compiled = compile_all(*configuration);
  Diagnostics findings = std::move(compiled.diagnostics);
  std::vector<FileResult> results;
  if (!findings.has_errors()) results = run_files(configuration->root, compiled.plan, findings);
  const Tally counts = tally(results);
  const bool good = counts.failed == 0 && counts.cases > 0 && !findings.has_errors();
  const std::string summary = plural(counts.cases, "case") + ", " + human_count(counts.failed) + " failed" +
                              (findings.has_errors() ? ", and files with errors" : "") +
                              (counts.cases == 0 ? "; examples are files tests/*.yaml below the folder" : "");
  std::ostream& out = session.terminal.out;
  if (session.json) {
    json document = findings_document(summary, findings);
    document["cases"] = to_json(results);
    out << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    print_findings(session, out, findings);
    print_results(session, results);
    out << (good ? session.palette().good(summary) : session.palette().bad(summary)) << '\n';
  }
  return code(good ? wire::Exit::ok : wire::Exit::refused);
}

}  // namespace

void declare_flows_test(CLI::App& app, Session& session, Action& chosen) {
  auto dir = std::make_shared<std::string>();
  app.add_option("dir", *dir,
                 "the folder; its examples are tests/*.yaml. Scripts of CustomScript are not run and give `failure`")
      ->type_name("DIR")
      ->required();
  app.callback([dir, &session, &chosen] { chosen = [dir, &session] { return run_tests(session, *dir); }; });
}

}  // namespace lunar::cli
