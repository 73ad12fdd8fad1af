#include "agent/config/tls_modes.h"

#include <doctest/doctest.h>

using namespace lunar;

namespace {

using Entries = std::vector<std::string>;

struct Connection {
  std::string_view host;
  uint16_t port = 443;
  std::string_view unit = "shop.service";
};

struct Row {
  Entries intercept, passthrough;
  Connection connection;
  bool intercepted = false;
};

std::string listed(const Entries& entries) {
  std::string out;
  for (const std::string& entry : entries) out += "[" + entry + "] ";
  return out;
}

std::string refusal(const std::string& entry) {
  auto rule = TlsRule::parse(entry);
  return rule ? "" : rule.error().text;
}

}  // namespace

TEST_CASE("tls modes: without entries nothing is intercepted") {
  CHECK_FALSE(TlsModes().intercepts_anything());
  CHECK_FALSE(TlsModes().intercepts("api.example.com", 443, "shop.service"));
  const Entries all{"*"};
  const auto only_passthrough = TlsModes::create({}, all).value();
  CHECK_FALSE(only_passthrough.intercepts_anything());
  CHECK_FALSE(only_passthrough.intercepts("api.example.com", 443, ""));
  CHECK(TlsModes::create(all, {})->intercepts_anything());
}

TEST_CASE("tls modes: an entry names a host, a port and a program, and passthrough wins") {
  const Row rows[] = {
      {{"api.example.com"}, {}, {"api.example.com"}, true},
      {{"API.Example.COM"}, {}, {"api.example.com"}, true},
      {{"api.example.com"}, {}, {"api.example.com", 8443, ""}, true},
      {{"api.example.com"}, {}, {"x.api.example.com"}, false},
      {{"api.example.com"}, {}, {"example.com"}, false},
      {{"api.example.com"}, {}, {""}, false},
      {{"localhost"}, {}, {"localhost"}, true},
      {{"*.example.com"}, {}, {"a.example.com"}, true},
      {{"*.example.com"}, {}, {"c.b.a.example.com"}, true},
      {{"*.example.com"}, {}, {"example.com"}, false},
      {{"*.example.com"}, {}, {"notexample.com"}, false},
      {{"*"}, {}, {"api.example.com"}, true},
      {{"*"}, {}, {"198.18.0.1"}, true},
      {{"*"}, {}, {"", 1, ""}, true},
      {{"api.example.com:443"}, {}, {"api.example.com", 443}, true},
      {{"api.example.com:443"}, {}, {"api.example.com", 8443}, false},
      {{"*.example.com:8443"}, {}, {"a.example.com", 8443}, true},
      {{"*.example.com:8443"}, {}, {"a.example.com", 443}, false},
      {{"*:65535"}, {}, {"a.example.com", 65535}, true},
      {{"*:1"}, {}, {"a.example.com", 2}, false},
      {{"198.18.0.1"}, {}, {"198.18.0.1"}, true},
      {{"198.18.0.1"}, {}, {"198.18.0.2"}, false},
      {{"198.18.0.1:443"}, {}, {"198.18.0.1", 443}, true},
      {{"198.18.0.1:443"}, {}, {"198.18.0.1", 444}, false},
      {{"198.18.0.1"}, {}, {"api.example.com"}, false},
      {{"2001:db8::1"}, {}, {"2001:db8::1"}, true},
      {{"2001:db8::1"}, {}, {"2001:db8:0:0::1"}, true},
      {{"2001:db8::1"}, {}, {"2001:db8::2"}, false},
      {{"[2001:db8::1]"}, {}, {"2001:db8::1"}, true},
      {{"[2001:db8::1]:8443"}, {}, {"2001:db8::1", 8443}, true},
      {{"[2001:db8::1]:8443"}, {}, {"2001:db8::1", 443}, false},
      {{"198.18.0.0/15"}, {}, {"198.19.255.255"}, true},
      {{"198.18.0.0/15"}, {}, {"198.20.0.0"}, false},
      {{"198.18.0.0/15:443"}, {}, {"198.18.0.1", 443}, true},
      {{"198.18.0.0/15:443"}, {}, {"198.18.0.1", 80}, false},
      {{"2001:db8::/32"}, {}, {"2001:db8:ffff::1"}, true},
      {{"[2001:db8::/32]:443"}, {}, {"2001:db8::1", 443}, true},
      {{"[2001:db8::/32]:443"}, {}, {"2001:db8::1", 444}, false},
      {{"2001:db8::/32"}, {}, {"2001:db9::1"}, false},
      {{"* unit=shop.service"}, {}, {"api.example.com", 443, "shop.service"}, true},
      {{"* unit=shop.service"}, {}, {"api.example.com", 443, "shop2.service"}, false},
      {{"* unit=shop.service"}, {}, {"api.example.com", 443, "Shop.service"}, false},
      {{"* unit=shop.service"}, {}, {"api.example.com", 443, ""}, false},
      {{"api.example.com:443  unit=a@b-c.scope"}, {}, {"api.example.com", 443, "a@b-c.scope"}, true},
      {{"api.example.com:443 unit=shop.service"}, {}, {"api.example.com", 80, "shop.service"}, false},
      {{"api.example.com:443 unit=shop.service"}, {}, {"b.example.com", 443, "shop.service"}, false},
      {{"a.example.com", "b.example.com"}, {}, {"b.example.com"}, true},
      {{"*"}, {"bank.example.com"}, {"bank.example.com"}, false},
      {{"*"}, {"bank.example.com"}, {"api.example.com"}, true},
      {{"api.example.com:443 unit=shop.service"}, {"*.example.com"}, {"api.example.com"}, false},
      {{"*"}, {"* unit=pinned.service"}, {"api.example.com", 443, "pinned.service"}, false},
      {{"*"}, {"* unit=pinned.service"}, {"api.example.com", 443, ""}, true},
      {{"*"}, {"*:8443"}, {"api.example.com", 8443}, false},
      {{"*"}, {"198.18.0.0/15"}, {"198.18.0.1"}, false},
      {{"api.example.com"}, {"api.example.com"}, {"api.example.com"}, false},
  };
  for (const Row& row : rows) {
    const auto modes = TlsModes::create(row.intercept, row.passthrough);
    CAPTURE(listed(row.intercept));
    CAPTURE(listed(row.passthrough));
    CAPTURE(row.connection.host);
    CAPTURE(row.connection.port);
    CAPTURE(row.connection.unit);
    REQUIRE(modes);
    CHECK(modes->intercepts(row.connection.host, row.connection.port, row.connection.unit) == row.intercepted);
  }
}

TEST_CASE("tls modes: an entry that is none is refused with what was expected in place of what") {
  const std::string host =
      "expected a host (api.example.com, *.example.com), an address, a range (10.0.0.0/8) or *, found ";
  const std::string port = "expected a port from 1 to 65535, found ";
  const std::string unit = "expected unit= and the full name of a unit without escapes, as unit=shop.service, found ";
  const std::pair<std::string, std::string> rows[] = {
      {"", host + "\"\""},
      {" unit=shop.service", host + "\"\""},
      {"https://a.example.com", port + "\"//a.example.com\""},
      {"a.example.com/path", host + "\"a.example.com/path\""},
      {"a*.example.com", host + "\"a*.example.com\""},
      {"api.*.example.com", host + "\"api.*.example.com\""},
      {"**", host + "\"**\""},
      {"*.", host + "\"*.\""},
      {"a..example.com", host + "\"a..example.com\""},
      {"a.example.com:1:2", host + "\"a.example.com:1:2\""},
      {"198.18.0.256", host + "\"198.18.0.256\""},
      {"198.18.0", host + "\"198.18.0\""},
      {"*.18.0.1", host + "\"*.18.0.1\""},
      {"198.18.0.0/33", host + "\"198.18.0.0/33\""},
      {"2001:db8::/129", host + "\"2001:db8::/129\""},
      {"2001:db8::1::2", host + "\"2001:db8::1::2\""},
      {"[2001:db8::1", host + "\"[2001:db8::1\""},
      {"[2001:db8::1]443", host + "\"[2001:db8::1]443\""},
      {"[2001:db8::]/32", host + "\"[2001:db8::]/32\""},
      {"[a.example.com]:443", host + "\"a.example.com\""},
      {"[198.18.0.1]:443", host + "\"198.18.0.1\""},
      {"[*]:443", host + "\"*\""},
      {"a.example.com\tunit=shop.service", host + "\"a.example.com\tunit=shop.service\""},
      {"a.example.com:", port + "\"\""},
      {"a.example.com:0", port + "\"0\""},
      {"a.example.com:65536", port + "\"65536\""},
      {"a.example.com:-1", port + "\"-1\""},
      {"a.example.com:https", port + "\"https\""},
      {"*:*", port + "\"*\""},
      {"[2001:db8::1]:", port + "\"\""},
      {"* shop.service", unit + "\"shop.service\""},
      {"* unit=", unit + "\"unit=\""},
      {"* unit=shop", unit + "\"unit=shop\""},
      {"* unit=.service", unit + "\"unit=.service\""},
      {"* unit=shop.timer", unit + "\"unit=shop.timer\""},
      {"* unit=a b.service", unit + "\"unit=a b.service\""},
      {"* unit=a.service unit=b.service", unit + "\"unit=a.service unit=b.service\""},
      {R"(* unit=foo\x2dbar.service)", unit + R"("unit=foo\x2dbar.service")"},
      {"* Unit=shop.service", unit + "\"Unit=shop.service\""},
  };
  for (const auto& [entry, expected] : rows) {
    CAPTURE(entry);
    CHECK(refusal(entry) == "\"" + entry + "\": " + expected);
  }
  CHECK(refusal("* unit=" + std::string(247, 'a') + ".service").empty());
  CHECK_FALSE(refusal("* unit=" + std::string(248, 'a') + ".service").empty());
}

TEST_CASE("tls modes: a list with one bad entry makes none, and the list is named") {
  const Entries good{"a.example.com"};
  const Entries bad{"a.example.com", "b.example.com:0"};
  const auto intercept = TlsModes::create(bad, good);
  REQUIRE_FALSE(intercept);
  CHECK(intercept.error().text == "tls.intercept: \"b.example.com:0\": expected a port from 1 to 65535, found \"0\"");
  const auto passthrough = TlsModes::create(good, bad);
  REQUIRE_FALSE(passthrough);
  CHECK(passthrough.error().text.starts_with("tls.passthrough: \"b.example.com:0\": "));
}
