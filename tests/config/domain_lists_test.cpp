#include "agent/config/domain_lists.h"

#include <doctest/doctest.h>

using namespace lunar;
using Verdict = DomainLists::Verdict;

TEST_CASE("domain lists: empty ones let everything pass") {
  CHECK(DomainLists().check("a.example.com", 443) == Verdict::pass);
  auto empty = DomainLists::create({}, {}).value();
  CHECK(empty.empty());
  CHECK(empty.check("", 0) == Verdict::pass);
}

TEST_CASE("domain lists: one hit is a hit, on host or on host with port, in any case") {
  auto lists = DomainLists::create({R"((^|\.)example\.com$)", R"(^llm\.example\.net:443$)"}, {R"(^admin\.)"}).value();
  CHECK(lists.check("example.com", 80) == Verdict::pass);
  CHECK(lists.check("API.Example.COM", 8443) == Verdict::pass);
  CHECK(lists.check("llm.example.net", 443) == Verdict::pass);
  CHECK(lists.check("llm.example.net", 80) == Verdict::not_allowed);
  CHECK(lists.check("notexample.com", 80) == Verdict::not_allowed);
  CHECK(lists.check("admin.example.com", 80) == Verdict::blocked);
  CHECK(lists.check("admin.example.org", 80) == Verdict::not_allowed);
}

TEST_CASE("domain lists: the block list alone") {
  auto lists = DomainLists::create({}, {"internal", ":25$"}).value();
  CHECK(lists.check("my-internal-host", 80) == Verdict::blocked);
  CHECK(lists.check("mail.example.com", 25) == Verdict::blocked);
  CHECK(lists.check("mail.example.com", 443) == Verdict::pass);
}

TEST_CASE("domain lists: a pattern that is none is named") {
  auto refused = DomainLists::create({"ok", "("}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.starts_with("allowed_domains: \"(\": missing )"));
  CHECK_FALSE(DomainLists::create({}, {R"((?<=a)b)"}));
}
