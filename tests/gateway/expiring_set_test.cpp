#include "agent/gateway/expiring_set.h"

#include <doctest/doctest.h>

using namespace lunar;
using lunar::gateway::ExpiringSet;

namespace {

constexpr MonotonicTime at(int seconds) { return MonotonicTime{std::chrono::seconds(seconds)}; }

}  // namespace

TEST_CASE("expiring set: a text is there until its moment, and the later moment counts") {
  ExpiringSet set;
  CHECK(set.add("a", at(10), at(1)));
  CHECK(set.contains("a", at(9)));
  CHECK_FALSE(set.contains("a", at(10)));
  CHECK_FALSE(set.contains("b", at(1)));
  CHECK_FALSE(set.add("a", at(5), at(2)));  // is there, and stays as long
  CHECK(set.contains("a", at(9)));
  CHECK_FALSE(set.add("a", at(20), at(3)));
  CHECK(set.contains("a", at(19)));
  CHECK(set.add("a", at(40), at(30)));  // it had gone
}

TEST_CASE("expiring set: a full one forgets what has expired, then what would expire first") {
  ExpiringSet set(3);
  CHECK(set.add("old", at(5), at(0)));
  CHECK(set.add("first", at(20), at(0)));
  CHECK(set.add("last", at(90), at(0)));
  CHECK(set.add("new", at(50), at(10)));
  CHECK(set.size() == 3);
  CHECK_FALSE(set.contains("old", at(4)));
  CHECK(set.add("newest", at(60), at(10)));
  CHECK(set.size() == 3);
  CHECK_FALSE(set.contains("first", at(11)));
  CHECK(set.contains("last", at(11)));
  CHECK(set.contains("new", at(11)));
}
