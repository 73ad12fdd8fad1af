#include "agent/base/memory_file.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace lunar {
namespace {

TEST_CASE("memory file: what was put in comes out, from the beginning, however often") {
  const std::string bytes(300'000, 'x');
  auto file = make_memory_file(bytes);
  REQUIRE(file);
  for (int i = 0; i < 2; ++i) CHECK(read_memory_file(file->get(), bytes.size()).value() == bytes);
  CHECK(read_memory_file(make_memory_file("").value().get(), 0).value().empty());
}

TEST_CASE("memory file: one above the limit is refused") {
  auto file = make_memory_file("four");
  REQUIRE(file);
  auto read = read_memory_file(file->get(), 3);
  REQUIRE_FALSE(read);
  CHECK(read.error().os_error == EFBIG);
  CHECK_FALSE(read_memory_file(-1, 10));
}

}  // namespace
}  // namespace lunar
