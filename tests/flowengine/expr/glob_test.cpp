#include "flowengine/expr/glob.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar;

TEST_CASE("globs: a star is any text, a question mark one character, the rest itself") {
  struct Row {
    std::string_view glob, text;
    bool matches;
  };
  const Row rows[] = {
      {"curl", "curl", true},
      {"curl", "curl2", false},
      {"curl", "Curl", false},
      {"curl*", "curl", true},
      {"report-*.service", "report-night.service", true},
      {"report-*.service", "report-.service", true},
      {"report-*.service", "report-nightXservice", false},
      {"/opt/jobs/*", "/opt/jobs/a/b", true},
      {"/opt/jobs/*", "/opt/job", false},
      {"*", "", true},
      {"", "", true},
      {"", "a", false},
      {"?", "\u00e4", true},
      {"?", "", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxaxx", false},
      {"[ab]", "[ab]", true},
      {"[ab]", "a", false},
      {"a.b+(c)|{d}^$\\", "a.b+(c)|{d}^$\\", true},
      {"a\\*", "a\\bc", true},
      {"*", "a\xff\nb", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.glob);
    CAPTURE(row.text);
    CHECK(Glob::parse(row.glob)->matches(row.text) == row.matches);
  }
  CHECK(Glob::parse("/opt/*")->names_path());
  CHECK_FALSE(Glob::parse("curl*")->names_path());
}
