#include "flowengine/expr/selector.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>

using namespace lunar;

namespace {

Selector selector(const std::vector<std::string>& texts) {
  std::vector<UrlPattern> patterns;
  for (const std::string& text : texts) patterns.push_back(*UrlPattern::parse(text));
  return Selector(std::move(patterns));
}

std::vector<std::string> found(const Selector& from, std::string_view host, std::string_view path,
                               uint16_t port = 443) {
  std::vector<uint32_t> indexes;
  from.find(host, port, path, indexes);
  std::vector<std::string> out;
  for (uint32_t index : indexes) out.push_back(from.patterns()[index].text());
  std::ranges::sort(out);
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("selector: exact and wildcard patterns coexist") {
  Selector all = selector({"h.example.com/a", "h.example.com/a/*", "h.example.com/b", "h.example.com"});
  CHECK(found(all, "h.example.com", "/a") == Texts{"h.example.com", "h.example.com/a", "h.example.com/a/*"});
  CHECK(found(all, "h.example.com", "/a/") == Texts{"h.example.com", "h.example.com/a", "h.example.com/a/*"});
  CHECK(found(all, "h.example.com", "/a/b") == Texts{"h.example.com", "h.example.com/a/*"});
  CHECK(found(all, "h.example.com", "/") == Texts{"h.example.com"});
  CHECK(found(all, "g.example.com", "/a").empty());
}

TEST_CASE("selector: explores every alternative") {
  Selector all = selector({"h.example.com/{id}", "h.example.com/me/x", "h.example.com/me/{x}", "h.example.com/{id}/y"});
  CHECK(found(all, "h.example.com", "/me") == Texts{"h.example.com/{id}"});
  CHECK(found(all, "h.example.com", "/me/y") == Texts{"h.example.com/me/{x}", "h.example.com/{id}/y"});
  CHECK(found(all, "h.example.com", "/me/x") == Texts{"h.example.com/me/x", "h.example.com/me/{x}"});
  CHECK(found(all, "h.example.com", "/you/x").empty());
  CHECK(all.params_of(0, "h.example.com", "/me") == PathParams{{"id", "me"}});
  Selector hosts = selector({"{a}.b.example.com", "a.{b}.example.com", "*.example.com", "a.*", "a.b.*", "*", "*/x"});
  CHECK(found(hosts, "a.b.example.com", "/") ==
        Texts{"*", "*.example.com", "a.*", "a.b.*", "a.{b}.example.com", "{a}.b.example.com"});
  CHECK(found(hosts, "example.com", "/x") == Texts{"*", "*/x"});
}

TEST_CASE("selector: finds a pattern once, and every one of equal patterns") {
  Selector all = selector({"*.example.com/*", "*.example.com/*", "api.*", "*", ""});
  std::vector<uint32_t> indexes{99};
  all.find("api.example.com", 443, "/a", indexes);
  std::ranges::sort(indexes);
  CHECK(indexes == std::vector<uint32_t>{0, 1, 2, 3, 4, 99});
}

TEST_CASE("selector: ports and IPv6 literals") {
  Selector all = selector({"h.example.com:8443/*", "h.example.com:443", "[2001:db8::1]/a", "{h}/a", "*:8443"});
  CHECK(found(all, "h.example.com", "/", 8443) == Texts{"*:8443", "h.example.com:8443/*"});
  CHECK(found(all, "h.example.com", "/", 443) == Texts{"h.example.com:443"});
  CHECK(found(all, "2001:db8::1", "/a", 443) == Texts{"[2001:db8::1]/a", "{h}/a"});
  CHECK(found(all, "::ffff:198.18.0.1", "/a", 443) == Texts{"{h}/a"});
}

TEST_CASE("selector: agrees with each pattern by itself") {
  const Texts host_parts = {"a.example.com",
                            "b.example.com",
                            "{x}.example.com",
                            "*.example.com",
                            "a.*",
                            "{x}.{y}.com",
                            "*.com",
                            "example.com",
                            "*",
                            "a.example.com:8080"};
  const Texts paths = {"", "/", "/*", "/a", "/a/*", "/{p}", "/{p}/b", "/a/{q}", "/a/b", "/{p}/{q}/*", "/b/../a"};
  Texts texts;
  for (const std::string& host : host_parts)
    for (const std::string& path : paths)
      if (UrlPattern::parse(host + path)) texts.push_back(host + path);
  Selector all = selector(texts);
  size_t matches = 0;
  for (std::string_view host :
       {"a.example.com", "b.example.com", "c.d.example.com", "example.com", "a", "a.com", "com"}) {
    for (std::string_view path : {"/", "/a", "/a/", "/a/b", "/b", "/c/b/d", "/a/c", "/x//y/../b", "/%61/%62"}) {
      for (uint16_t port : {uint16_t{443}, uint16_t{8080}}) {
        Texts expected;
        for (const UrlPattern& one : all.patterns())
          if (one.matches(host, port, path)) expected.push_back(one.text());
        std::ranges::sort(expected);
        matches += expected.size();
        CAPTURE(host);
        CAPTURE(path);
        CHECK(found(all, host, path, port) == expected);
      }
    }
  }
  CHECK(matches > 1000);
}

TEST_CASE("selector: ten thousand patterns cost no more than a few") {
  Texts texts;
  for (int i = 0; i < 10'000; ++i)
    texts.push_back("h" + std::to_string(i % 100) + ".example.com/v1/t" + std::to_string(i / 100) + "/{id}");
  Selector all = selector(texts);
  CHECK(found(all, "h7.example.com", "/v1/t42/x").size() == 1);
  std::vector<uint32_t> none;
  constexpr int rounds = 20'000;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) {
    all.find("h7.example.com", 443, "/v1/unknown/17", none);
    all.find("api.other.example.org", 443, "/v1/t42/x", none);
  }
  auto each = (std::chrono::steady_clock::now() - start) / (2 * rounds);
  CHECK(none.empty());
  INFO("a miss costs ", std::chrono::nanoseconds(each).count(), " ns");
  CHECK(each < std::chrono::microseconds(20));  // generous: sanitizers and busy machines
}
