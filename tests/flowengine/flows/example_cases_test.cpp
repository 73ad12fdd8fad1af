// Every folder of tests/data/flows is a complete configuration whose example transactions end as they say.
#include <doctest/doctest.h>

#include "flowengine/cases/case_file.h"
#include "tests/flowengine/flows/config_folder.h"

namespace lunar {
namespace {

namespace fs = std::filesystem;

TEST_CASE("example flows: each folder compiles without errors, with the findings that it expects and no others") {
  for (const fs::path& path : entries_of(test_data() / "flows")) {
    CAPTURE(path.filename().string());
    const ConfigFolder folder = read_config_folder(path);
    const Compiled out = compile(folder.sources, folder.options);
    CHECK_FALSE(out.diagnostics.has_errors());
    CHECK(printed(out.diagnostics) == folder.expected);
  }
}

TEST_CASE("example flows: every transaction ends as its case says") {
  size_t cases = 0;
  for (const fs::path& path : entries_of(test_data() / "flows")) {
    const ConfigFolder folder = read_config_folder(path);
    const Compiled out = compile(folder.sources, folder.options);
    CAPTURE(path.filename().string());
    CHECK_FALSE(folder.cases.empty());
    if (out.plan == nullptr) continue;  // the test above says why
    for (const SourceFile& file : folder.cases) {
      Diagnostics findings;
      const auto results = run_cases(file.path, file.text, out.plan, {}, findings);
      CHECK(printed(findings) == "");
      CHECK_FALSE(results.empty());
      for (const CaseResult& result : results) {
        CAPTURE(result.name);
        for (const std::string& difference : result.differences) FAIL_CHECK(difference);
        ++cases;
      }
    }
  }
  CHECK(cases >= 100);
}

}  // namespace
}  // namespace lunar
