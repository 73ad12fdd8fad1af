#include "flowengine/spelling.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar;

TEST_CASE("spelling: proposes the nearest name, and nothing where none is near") {
  constexpr std::string_view names[] = {"timeouts", "listeners", "log", "redis"};
  CHECK(nearest_name("timeout", names) == "timeouts");
  CHECK(nearest_name("listners", names) == "listeners");
  CHECK(nearest_name("lgo", names).empty());
  CHECK(nearest_name("logs", names) == "log");
  CHECK(nearest_name("capture", names).empty());
  CHECK(nearest_name("", names).empty());
  CHECK(nearest_name(std::string(100'000, 'x'), names).empty());
}
