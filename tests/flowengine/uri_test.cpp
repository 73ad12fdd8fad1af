#include "flowengine/uri.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("authority: host and port, folded to lower case") {
  const std::pair<std::string_view, Authority> cases[] = {
      {"api.example.com", {"api.example.com", std::nullopt, false}},
      {"API.Example.COM:8443", {"api.example.com", 8443, false}},
      {"example.com.", {"example.com", std::nullopt, false}},
      {"example.com.:80", {"example.com", 80, false}},
      {"my_host-1", {"my_host-1", std::nullopt, false}},
      {"198.18.0.1:1", {"198.18.0.1", 1, false}},
      {"[2001:DB8::1]", {"2001:db8::1", std::nullopt, true}},
      {"[::1]:65535", {"::1", 65535, true}},
      {"[::]", {"::", std::nullopt, true}},
      {"[::ffff:198.18.0.1]:80", {"::ffff:198.18.0.1", 80, true}},
      {"[1:2:3:4:5:6:7:8]", {"1:2:3:4:5:6:7:8", std::nullopt, true}},
      {"[1::8]", {"1::8", std::nullopt, true}},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    CHECK(parse_authority(text) == expected);
  }
}

TEST_CASE("authority: everything that could be read as another host is refused") {
  for (std::string_view text : {"",
                                ":80",
                                "host:",
                                "host:0",
                                "host:65536",
                                "host:99999999999",
                                "host:8a",
                                "host: 80",
                                "host:+80",
                                "host:-1",
                                "user@host",
                                "user:pw@host:80",
                                "ho st",
                                " host",
                                "host ",
                                "host/path",
                                "host?q",
                                "host#f",
                                "a..b",
                                ".a",
                                ".",
                                "ho%73t",
                                "h\xc3\xb6st",
                                "host\t",
                                "host\\",
                                "*",
                                "*.example.com",
                                "a:b:80",
                                "2001:db8::1",
                                "[::1",
                                "::1]",
                                "[]",
                                "[::1]x",
                                "[::1]:",
                                "[::1]:0",
                                "[::1%eth0]",
                                "[:::]",
                                "[1:2:3]",
                                "[1:2:3:4:5:6:7:8:9]",
                                "[12345::]",
                                "[1::2::3]",
                                "[g::]",
                                "[::1.2.3]",
                                "[::256.1.1.1]",
                                "[1.2.3.4::]",
                                "[:1]",
                                "[1:]",
                                "[198.18.0.1]",
                                "[1:2:3:4:5:6:7:8::]",
                                "[::01.2.3.4]"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_authority(text));
  }
  CHECK(parse_authority(std::string(253, 'a')));
  CHECK_FALSE(parse_authority(std::string(254, 'a')));
}

TEST_CASE("authority: prints what it parses") {
  for (const char* text : {"a.example.com", "a.example.com:80", "[2001:db8::1]", "[::1]:443"})
    CHECK(parse_authority(text)->text() == text);
}

TEST_CASE("scheme: http and https in any case, nothing else") {
  CHECK(parse_scheme("HTTP") == Scheme::http);
  CHECK(parse_scheme("https") == Scheme::https);
  for (std::string_view text : {"", "ftp", "ws", "http ", "httpss"}) CHECK_FALSE(parse_scheme(text));
  CHECK(default_port(Scheme::http) == 80);
  CHECK(default_port(Scheme::https) == 443);
  CHECK(scheme_name(Scheme::https) == "https");
}

TEST_CASE("absolute target: splits into destination and origin form") {
  auto target = parse_absolute_target("HTTP://Api.example.com:81/a/b?q=/x").value();
  CHECK(target.scheme == Scheme::http);
  CHECK(target.authority.host == "api.example.com");
  CHECK(target.port() == 81);
  CHECK(target.origin_form == "/a/b?q=/x");
  CHECK(parse_absolute_target("https://[2001:db8::1]")->origin_form == "/");
  CHECK(parse_absolute_target("https://[2001:db8::1]")->port() == 443);
  CHECK(parse_absolute_target("http://a?q")->origin_form == "/?q");
  CHECK(parse_absolute_target("http://a/p#f")->origin_form == "/p");
  CHECK(parse_absolute_target("http://a#f")->origin_form == "/");
}

TEST_CASE("absolute target: other forms, schemes and broken authorities are refused") {
  for (std::string_view text :
       {"", "/", "*", "a.example.com:443", "http:/a", "http:///p", "http://", "ftp://a/", "http://u@a/",
        "http://u:p@a/", "http://a:x/", "http://a b/", "://a/", "javascript:x"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_absolute_target(text));
  }
}
