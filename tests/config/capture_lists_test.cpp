#include "agent/config/capture_lists.h"

#include <doctest/doctest.h>

using namespace lunar;

namespace {

const IpAddress inside = IpAddress::parse("198.18.5.1").value();
const IpAddress outside = IpAddress::parse("2001:db8::9").value();

CaptureLists lists(std::vector<std::string> allow, std::vector<std::string> block) {
  return CaptureLists::create(allow, block).value();
}

}  // namespace

TEST_CASE("capture lists: empty ones send everything through flows") {
  CHECK(CaptureLists().flows_apply("a.example.com", inside));
  CHECK(lists({}, {}).flows_apply("", outside));
}

TEST_CASE("capture lists: the block list excludes hosts, addresses and ranges") {
  auto both = lists({}, {"*.example.com", "198.18.0.0/15", "2001:db8::1"});
  CHECK_FALSE(both.flows_apply("A.example.com", outside));
  CHECK_FALSE(both.flows_apply("b.example.org", inside));
  CHECK_FALSE(both.flows_apply("", IpAddress::parse("2001:db8::1").value()));
  CHECK(both.flows_apply("b.example.org", outside));
}

TEST_CASE("capture lists: a non-empty allow list excludes everything else, and wins over the block list") {
  auto both = lists({"api.example.com", "198.18.5.0/24"}, {"*.example.com", "198.18.0.0/15"});
  CHECK(both.flows_apply("api.example.com", outside));
  CHECK(both.flows_apply("x.example.com", inside));
  CHECK_FALSE(both.flows_apply("x.example.com", outside));
  CHECK_FALSE(both.flows_apply("x.example.org", outside));
  REQUIRE(both.allowed_ranges().size() == 1);
  CHECK(both.allowed_ranges()[0].text() == "198.18.5.0/24");
}

TEST_CASE("capture lists: an invalid entry is named, and everything can be relayed meanwhile") {
  std::vector<std::string> bad{"a.example.com", "198.18.0.0/40"};
  auto refused = CaptureLists::create({}, bad);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.starts_with("capture.block_list: \"198.18.0.0/40\" is neither a host"));
  for (const char* entry : {"http://a", "a:80", "*", "a b", ""}) {
    std::vector<std::string> one{entry};
    CHECK_FALSE(CaptureLists::create(one, {}));
  }
  CHECK_FALSE(CaptureLists::relay_everything().flows_apply("a.example.com", inside));
}
