#include "flowengine/diagnostic.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("diagnostic: prints one line with position, severity and id") {
  CHECK(Diagnostic{"flows/limit.yaml", {12, 9}, Severity::error, "bad-type", "expected an integer"}.print() ==
        "flows/limit.yaml:12:9: error: expected an integer [bad-type]");
  CHECK(Diagnostic{"environment", {}, Severity::warning, "", "text"}.print() == "environment: warning: text");
  CHECK(Diagnostic{"a", {1, 1}, Severity::note, "dialect", "text"}.print() == "a:1:1: note: text [dialect]");
}

TEST_CASE("diagnostic: what it quotes stays on its line and cannot steer a terminal") {
  CHECK(Diagnostic{"a\nb", {1, 1}, Severity::error, "id", "no `x\n\x1b[2J\x7f`, but é"}.print() ==
        "a\\nb:1:1: error: no `x\\n\\x1b[2J\\x7f`, but é [id]");
}

TEST_CASE("diagnostics: know their first error") {
  Diagnostics list;
  CHECK_FALSE(list.has_errors());
  CHECK(list.first_error() == nullptr);
  list.add({"a", {1, 1}, Severity::warning, "w", "x"});
  CHECK_FALSE(list.has_errors());
  list.add({"a", {2, 1}, Severity::error, "e1", "x"});
  list.add({"a", {3, 1}, Severity::error, "e2", "x"});
  CHECK(list.has_errors());
  CHECK(list.first_error()->id == "e1");
  CHECK(list.list().size() == 3);
}
