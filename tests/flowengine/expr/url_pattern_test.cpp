#include "flowengine/expr/url_pattern.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "flowengine/uri.h"

using namespace lunar;

namespace {

UrlPattern pattern(std::string_view text) {
  CAPTURE(text);
  auto parsed = UrlPattern::parse(text);
  REQUIRE(parsed);
  return *std::move(parsed);
}

// `url` is host[:port]/path.
bool matches(const UrlPattern& one, std::string_view url) {
  size_t slash = url.find('/');
  auto authority = parse_authority(url.substr(0, slash));
  REQUIRE(authority);
  return one.matches(authority->host, authority->port.value_or(443), url.substr(slash));
}

void check(std::string_view text, std::string_view url, bool expected) {
  CAPTURE(text);
  CAPTURE(url);
  CHECK(matches(pattern(text), url) == expected);
}

std::string params_text(const PathParams& params) {
  std::string out;
  for (const auto& [name, value] : params) out.append(name).append("=").append(value).append(";");
  return out;
}

}  // namespace

TEST_CASE("url patterns: a path is exact up to one slash at the end") {
  check("h.example.com/a", "h.example.com/a", true);
  check("h.example.com/a", "h.example.com/a/", true);
  check("h.example.com/a", "h.example.com/a/b", false);
  check("h.example.com/a", "h.example.com/A", false);
  check("h.example.com/a", "h.example.com/", false);
  check("h.example.com/a/", "h.example.com/a", true);
  check("h.example.com/", "h.example.com/", true);
  check("h.example.com/", "h.example.com/a", false);
}

TEST_CASE("url patterns: a host without a path covers every path of it") {
  for (std::string_view path : {"/", "/x", "/x/y"}) check("h.example.com", "h.example.com" + std::string(path), true);
  check("h.example.com", "x.h.example.com/", false);
  CHECK(pattern("h.example.com").remarks().host_only);
  CHECK_FALSE(pattern("h.example.com/*").remarks().host_only);
  CHECK_FALSE(pattern("api.*").remarks().host_only);
  CHECK_FALSE(pattern("*").remarks().host_only);
}

TEST_CASE("url patterns: a star at the end covers zero or more segments") {
  for (std::string_view path : {"/", "/a", "/a/b"}) check("h.example.com/*", "h.example.com" + std::string(path), true);
  check("h.example.com/a/*", "h.example.com/a", true);
  check("h.example.com/a/*", "h.example.com/a/b/c", true);
  check("h.example.com/a/*", "h.example.com/ab", false);
  check("h.example.com/a/*/", "h.example.com/a/b", true);
}

TEST_CASE("url patterns: a parameter is exactly one segment or label") {
  check("h.example.com/{id}", "h.example.com/me", true);
  check("h.example.com/{id}", "h.example.com/", false);
  check("h.example.com/{id}", "h.example.com/me/x", false);
  check("h.example.com/me/{x}", "h.example.com/me/y", true);
  check("h.example.com/{id}/y", "h.example.com/me/y", true);
  check("{tenant}.example.com/v1", "acme.example.com/v1", true);
  check("{tenant}.example.com/v1", "a.b.example.com/v1", false);
  check("{tenant}.example.com/v1", "example.com/v1", false);
  CHECK(params_text(pattern("h.example.com/{id}").params("h.example.com", "/me")) == "id=me;");
  CHECK(params_text(pattern("{a}.{b}.example.com/x/{c}/{d-1}/*").params("p.q.example.com", "/x/1//2/3")) ==
        "a=p;b=q;c=1;d-1=2;");
  CHECK(params_text(pattern("*.{a}.example.com/{b}").params("x.y.q.example.com", "/%41")) == "a=q;b=A;");
  CHECK(params_text(pattern("api.{a}.*").params("api.q.example.com", "/x")) == "a=q;");
}

TEST_CASE("url patterns: a star in front of a host is one label or more, at its end any number") {
  check("*.example.com/*", "a.b.example.com/v1", true);
  check("*.example.com/*", "a.example.com/", true);
  check("*.example.com/*", "example.com/v1", false);
  check("*.example.com/*", "badexample.com/v1", false);
  check("*.example.com", "a.example.com/x", true);
  check("api.*", "api.example.com/x/y", true);
  check("api.*", "api.com/", true);
  check("api.*", "api/", true);
  check("api.*", "apis.com/", false);
  check("api.*", "x.api.com/", false);
}

TEST_CASE("url patterns: three ways to say every URL, one of which deserves a warning") {
  for (std::string_view text : {"*", ".*", ""}) {
    check(text, "any.example.com:8080/x/y", true);
    check(text, "[2001:db8::1]/", true);
    CHECK(pattern(text).host_kind() == UrlPattern::HostKind::every);
    CHECK(pattern(text).remarks().empty == text.empty());
  }
  check("*/v1/*", "any.example.com/v1/x", true);
  check("*/v1/*", "any.example.com/v2", false);
}

TEST_CASE("url patterns: no port is any port, a given one has to be equal") {
  check("h.example.com:8443/*", "h.example.com:8443/", true);
  check("h.example.com:8443/*", "h.example.com:443/", false);
  check("h.example.com:443/*", "h.example.com:443/", true);
  check("h.example.com:80/*", "h.example.com:443/", false);
  check("h.example.com/*", "h.example.com:8443/", true);
  check("[2001:DB8::1]:8443/a", "[2001:db8::1]:8443/a", true);
  check("[2001:db8::1]", "[2001:db8::1]:1/a", true);
  check("[2001:db8::1]", "[2001:db8::2]/a", false);
  check("{host}/a", "[2001:db8::1]/a", true);
}

TEST_CASE("url patterns: hosts ignore case and have their ASCII form") {
  check("API.Example.COM/a", "api.example.com/a", true);
  check("b\u00fccher.example.com", "xn--bcher-kva.example.com/", true);
  check("*.B\u00dcCHER.example", "www.xn--bcher-kva.example/", true);
  check("example.com./a", "example.com/a", true);
}

TEST_CASE("url patterns: paths are matched in their normal form") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"/", ""},
      {"/a", "/a"},
      {"/a/", "/a"},
      {"/a//", "/a"},
      {"//a///b", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/../a", "/a"},
      {"/a/b/..", "/a"},
      {"/a/.", "/a"},
      {"/..", ""},
      {"/a/../../..", ""},
      {"/.a", "/.a"},
      {"/..a", "/..a"},
      {"/a.", "/a."},
      {"/a/...", "/a/..."},
      {"/%61%7E", "/a~"},
      {"/%2e%2E/a", "/a"},
      {"/a%2Fb", "/a%2Fb"},
      {"/a%2fb", "/a%2Fb"},
      {"/%zz%4", "/%zz%4"},
      {"/%", "/%"},
      {"/a%20b", "/a%20b"},
      {"/a b", "/a%20b"},
      {"/\xc3\xa4", "/%C3%A4"},
      {"/a;p=1/b", "/a;p=1/b"},
      {"*", "/*"},
      {"", ""},
  };
  for (const auto& [path, expected] : rows) {
    CAPTURE(path);
    std::string storage, again;
    std::string_view normal = normal_path(path, storage);
    CHECK(normal == expected);
    CHECK(normal_path(normal, again) == expected);
  }
  std::string untouched;
  std::string_view path = "/v1/orders/17/";
  CHECK(normal_path(path, untouched).data() == path.data());
  check("h.example.com/a/%62/../c//", "h.example.com/a/./%63", true);
  check("h.example.com/stra\u00dfe", "h.example.com/stra%c3%9fe", true);
}

TEST_CASE("url patterns: a scheme and a query are dropped") {
  CHECK(pattern("https://h.example.com/a").remarks().scheme_dropped);
  check("https://h.example.com/a", "h.example.com/a", true);
  CHECK(pattern("h.example.com/a?x=1").remarks().query_dropped);
  check("h.example.com/a?x={y}*", "h.example.com/a", true);
  CHECK_FALSE(pattern("h.example.com/a").remarks().scheme_dropped);
  CHECK_FALSE(pattern("h.example.com/a").remarks().query_dropped);
  check("h.example.com/http://x", "h.example.com/http:/x", true);
}

TEST_CASE("url patterns: what is refused, and where") {
  struct Row {
    std::string_view text, id;
    size_t offset;
  };
  const Row rows[] = {
      {"h.example.com/*/a", "bad-wildcard", 14},
      {"h.example.com/a*", "bad-wildcard", 15},
      {"h.example.com/*a", "bad-wildcard", 14},
      {"a.*.example.com", "bad-wildcard", 2},
      {"a*.example.com", "bad-wildcard", 1},
      {"*a.example.com", "bad-wildcard", 0},
      {"api.*/v1", "bad-wildcard", 4},
      {"*.api.*", "bad-wildcard", 6},
      {"*.*", "bad-wildcard", 2},
      {"https://h.example.com/*/a", "bad-wildcard", 22},
      {"/v1", "bad-url", 0},
      {"https://", "bad-url", 8},
      {"h..example.com", "bad-url", 2},
      {".example.com", "bad-url", 0},
      {"*.", "bad-url", 2},
      {"h.example.com:0/a", "bad-url", 14},
      {"h.example.com:65536", "bad-url", 14},
      {"h.example.com:x", "bad-url", 14},
      {"h.example.com:", "bad-url", 14},
      {"2001:db8::1", "bad-url", 5},
      {"[::1", "bad-url", 0},
      {"[::1]x", "bad-url", 0},
      {"user@h.example.com", "bad-url", 0},
      {"h example.com", "bad-url", 0},
      {"h.example.com/a b", "bad-url", 15},
      {"h.example.com/a#b", "bad-url", 15},
      {"h.example.com/{}", "bad-url", 14},
      {"h.example.com/{a", "bad-url", 14},
      {"h.example.com/{a}b", "bad-url", 14},
      {"h.example.com/{a b}", "bad-url", 14},
      {"{a}x.example.com", "bad-url", 0},
      {"{}.example.com", "bad-url", 0},
      {"?x", "bad-url", 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto parsed = UrlPattern::parse(row.text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().id == row.id);
    CHECK(parsed.error().offset == row.offset);
    CHECK_FALSE(parsed.error().text.empty());
  }
  std::string long_host(63, 'a');
  long_host = long_host + "." + long_host + "." + long_host + "." + long_host;
  CHECK_FALSE(UrlPattern::parse(long_host));
  CHECK(UrlPattern::parse(long_host.substr(0, 253)));
}

TEST_CASE("url patterns: the first difference decides which one is more specific") {
  // From the most specific to the least; equal ranks share a line.
  const std::vector<std::vector<std::string_view>> order = {
      {"a.b.example.com:443/x"},
      {"a.b.example.com/x/y", "c.b.example.com/y/x"},
      {"a.b.example.com/x/{p}"},
      {"a.b.example.com/x"},
      {"a.b.example.com/x/*"},
      {"a.b.example.com/{p}/y"},
      {"a.b.example.com/{p}", "a.b.example.com/{q}"},
      {"a.b.example.com/{p}/*"},
      {"a.b.example.com/"},
      {"a.b.example.com/*", "a.b.example.com"},
      {"example.com/x"},
      {"{t}.b.example.com/*"},
      {"{t}.example.com/x/y"},
      {"*.b.example.com:443"},
      {"*.b.example.com/x"},
      {"*.example.com/x"},
      {"api.example.*"},
      {"api.*"},
      {"*/x"},
      {"*", ".*", ""},
  };
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t j = 0; j < order.size(); ++j) {
      for (std::string_view left : order[i]) {
        for (std::string_view right : order[j]) {
          CAPTURE(left);
          CAPTURE(right);
          CHECK(pattern(left).compare_specificity(pattern(right)) == (j <=> i));
        }
      }
    }
  }
}

TEST_CASE("url patterns: parameters know their position, whatever their names") {
  auto position = [](std::string_view text, size_t index) { return pattern(text).parameters().at(index).position; };
  CHECK(position("h.example.com/users/{id}", 0) == position("h.example.com/users/{user}/x", 0));
  CHECK(position("h.example.com/users/{id}", 0) != position("h.example.com/groups/{id}", 0));
  CHECK(position("h.example.com/users/{id}", 0) != position("g.example.com/users/{id}", 0));
  CHECK(position("{a}.example.com/{id}", 0) == position("{b}.example.com/x", 0));
  CHECK(position("{a}.example.com/{id}", 1) == position("{b}.example.com/{c}", 1));
  CHECK(position("h.example.com:1/{a}", 0) != position("h.example.com:2/{a}", 0));
  auto all = pattern("{a}.{b}.example.com/{c}").parameters();
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "a");
  CHECK(all[1].name == "b");
  CHECK(all[2].name == "c");
}

TEST_CASE("url patterns: a path by itself is of any host, or joins a host without one") {
  auto path = UrlPattern::parse_path("/a/{x}");
  REQUIRE(path);
  CHECK(matches(*path, "any.example.com/a/1"));
  CHECK_FALSE(matches(*path, "any.example.com/a"));
  UrlPattern joined = pattern("h.example.com").with_path(*path);
  CHECK(matches(joined, "h.example.com/a/1"));
  CHECK_FALSE(matches(joined, "g.example.com/a/1"));
  CHECK(joined.text() == "h.example.com/a/{x}");
  CHECK(joined.compare_specificity(pattern("h.example.com/a/{y}")) == std::weak_ordering::equivalent);
  CHECK_FALSE(joined.remarks().host_only);
  CHECK(matches(*UrlPattern::parse_path("*"), "h.example.com/x/y"));
  CHECK(UrlPattern::parse_path("a").error().id == "bad-url");
  CHECK(UrlPattern::parse_path("").error().id == "bad-url");
  CHECK(UrlPattern::parse_path("/a/*/b").error().id == "bad-wildcard");
  CHECK(UrlPattern::parse_path("/a?x=1")->remarks().query_dropped);
}
