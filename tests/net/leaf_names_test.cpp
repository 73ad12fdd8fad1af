#include "agent/net/leaf_names.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include "tests/net/der_builder.h"

using namespace lunar;
using namespace lunar::test;

namespace {

using Texts = std::vector<std::string>;

Result<LeafNames> names(const ProviderShape& shape, std::string_view host = "", bool verified = false) {
  auto provider = certificate_from_der(provider_der(shape));
  REQUIRE(provider);
  auto out = leaf_names(**provider, host, verified);
  CHECK(ERR_peek_error() == 0);
  return out;
}

Texts dns(const ProviderShape& shape, std::string_view host = "", bool verified = false) {
  const auto out = names(shape, host, verified);
  REQUIRE(out);
  return out->dns;
}

std::string numbered(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += dns_name("n" + std::to_string(i) + ".example.com");
  return out;
}

const std::string v4 = from_hex("c6120001");
const std::string v6 = from_hex("20010db8000000000000000000000001");

}  // namespace

TEST_CASE("leaf names: host names are letters, digits, hyphens and underscores in labels, and no address") {
  for (const std::string_view good : {"a", "localhost", "api.example.com", "xn--bcher-kva.example.com",
                                      "a_b.example.com", "1.example.com", "a.b.c.d.e"})
    CHECK_MESSAGE(is_host_name(good), good);
  for (const std::string_view bad : {"", ".", "a.", ".a", "a..b", "A.example.com", "-a.example.com", "a-.example.com",
                                     "a b", "a/b", "a:b", "198.18.0.1", "1", "*.example.com", "b\xc3\xbc.example.com"})
    CHECK_MESSAGE(!is_host_name(bad), bad);
  CHECK_FALSE(is_host_name(std::string_view("a\0b", 3)));
  CHECK(is_host_name(std::string(63, 'a')));
  CHECK_FALSE(is_host_name(std::string(64, 'a')));
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + ".";
  CHECK(is_host_name(longest + std::string(61, 'd')));
  CHECK_FALSE(is_host_name(longest + std::string(62, 'd')));
}

TEST_CASE("leaf names: DNS names, wildcards, A-labels and addresses of both families are mirrored in lower case") {
  const auto out = names({.names = dns_name("API.example.com") + dns_name("*.example.com") +
                                   dns_name("xn--bcher-kva.example.com") + ip_name(v4) + ip_name(v6)});
  REQUIRE(out);
  CHECK(out->dns == Texts{"api.example.com", "*.example.com", "xn--bcher-kva.example.com"});
  REQUIRE(out->addresses.size() == 2);
  CHECK(out->addresses[0].text() == "198.18.0.1");
  CHECK(out->addresses[1].text() == "2001:db8::1");
  CHECK(out->common_name == "api.example.com");
}

TEST_CASE("leaf names: what is no host name is left out, and so is every other kind of name") {
  const std::string other = tlv(0xa0, oid("\x2a\x03") + tlv(0xa0, tlv(0x0c, "x")));
  const ProviderShape odd{
      .names = email_name("a@example.com") + uri_name("https://example.com/") + other + tlv(0x88, "\x2a\x03") +
               dns_name(std::string_view("api.example.com\0.test", 21)) + dns_name("") + dns_name("*") +
               dns_name("*.com") + dns_name("f*.example.com") + dns_name("*.*.example.com") +
               dns_name("a.*.example.com") + dns_name("198.18.0.1") + dns_name("b\xc3\xbc.example.com") +
               dns_name("api.example.com.") + dns_name("a\nb.example.com") + dns_name(std::string(300, 'a')) +
               ip_name("abc") + ip_name(std::string(32, 'x')) + ip_name(from_hex("00000000000000000000ffffc6120001")) +
               dns_name("last.example.com")};
  CHECK(dns(odd) == Texts{"last.example.com"});
  CHECK(names(odd)->addresses.empty());
}

TEST_CASE("leaf names: a name that comes twice is there once") {
  CHECK(dns({.names = dns_name("a.example.com") + dns_name("A.example.com")}) == Texts{"a.example.com"});
}

TEST_CASE("leaf names: the common name counts only where the extension is missing and it is a host name") {
  CHECK(dns({}) == Texts{"cn.example.com"});
  CHECK(dns({.names = dns_name("a.example.com")}) == Texts{"a.example.com"});
  CHECK_FALSE(names({.names = email_name("a@example.com")}));
  CHECK_FALSE(names({.subject = common_name("Example Inc.")}));
  CHECK_FALSE(names({.subject = common_name("198.18.0.1")}));
  CHECK_FALSE(names({.subject = common_name(std::string_view("cn.example.com\0.test", 20))}));
  CHECK_FALSE(names({.subject = ""}));
  CHECK(dns({.subject = common_name("Example Inc.") + common_name("CN.example.com")}) == Texts{"cn.example.com"});
}

TEST_CASE("leaf names: a broken or doubled extension is an error, not a certificate without names") {
  const std::string broken = sequence(oid("\x55\x1d\x11") + octets(sequence("\x82\x7f"
                                                                            "a")));
  CHECK_FALSE(names({.more_extensions = broken}));
  CHECK_FALSE(
      names({.names = dns_name("a.example.com"), .more_extensions = names_extension(dns_name("b.example.com"))}));
}

TEST_CASE("leaf names: of a thousand the first hundred are mirrored, and the one asked for is always among them") {
  const ProviderShape many{.names = numbered(1000)};
  const Texts first = dns(many);
  CHECK(first.size() == max_leaf_names);
  CHECK(first.back() == "n99.example.com");
  CHECK(dns(many, "n5.example.com", true) == first);
  const Texts asked = dns(many, "N777.example.com", true);
  CHECK(asked.size() == max_leaf_names);
  CHECK(asked.back() == "n777.example.com");
  CHECK(asked[98] == "n98.example.com");
}

TEST_CASE("leaf names: all names together have 16 KiB") {
  const std::string rest =
      std::string(59, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
  ProviderShape large;
  for (size_t i = 0; i < 99; ++i) large.names += dns_name(std::to_string(1000 + i) + rest);
  CHECK(dns(large).size() == max_leaf_name_bytes / 253);
  const Texts asked = dns(large, "1098" + rest, true);
  CHECK(asked.size() == max_leaf_name_bytes / 253);
  CHECK(asked.back() == "1098" + rest);
  large.names += dns_name("short.example.com");  // what still fits is not left out
  CHECK(dns(large).size() == max_leaf_name_bytes / 253 + 1);
}

TEST_CASE("leaf names: the host asked for is added only if the certificate was verified and is valid for it") {
  const ProviderShape wild{.names = dns_name("*.example.com") + ip_name(v4)};
  CHECK(dns(wild, "api.example.com", true) == Texts{"*.example.com"});
  CHECK(names(wild, "api.example.com", true)->common_name == "api.example.com");
  CHECK(names(wild, "api.example.com", false)->common_name == "*.example.com");
  CHECK(dns(wild, "other.test", false) == Texts{"*.example.com"});
  CHECK_FALSE(names(wild, "other.test", true));
  CHECK_FALSE(names(wild, "a.b.example.com", true));
  CHECK_FALSE(names(wild, "198.18.0.2", true));
  CHECK_FALSE(names(wild, "not a name", true));
  CHECK_FALSE(names(wild, std::string_view("198.18.0.1\0x", 12), true));
  CHECK(names(wild, "198.18.0.1", true)->addresses.size() == 1);
  // By the common name, which a client uses too where there is no DNS name.
  const auto added = names({.names = ip_name(v4)}, "cn.example.com", true);
  REQUIRE(added);
  CHECK(added->dns == Texts{"cn.example.com"});
}

TEST_CASE("leaf names: the common name is short, and no address") {
  const std::string long_name = std::string(60, 'a') + ".example.com";
  CHECK(names({.names = dns_name(long_name) + dns_name("short.example.com")})->common_name == "short.example.com");
  CHECK(names({.names = dns_name(long_name)}, long_name, true)->common_name == "Lunar");
  CHECK(names({.names = ip_name(v4)}, "198.18.0.1", true)->common_name == "Lunar");
}

TEST_CASE("leaf names: a wildcard covers one label") {
  const LeafNames some{.dns = {"*.example.com", "a.test"}, .addresses = {*IpAddress::parse("2001:db8::1")}};
  for (const std::string_view host : {"x.example.com", "X.Example.com", "a.test", "2001:db8::1", "2001:DB8:0::1"})
    CHECK_MESSAGE(some.cover(host), host);
  for (const std::string_view host :
       {"example.com", ".example.com", "a.b.example.com", "b.test", "2001:db8::2", "198.18.0.1", ""})
    CHECK_MESSAGE(!some.cover(host), host);
  CHECK_FALSE(some.cover(std::string_view("2001:db8::1\0x", 13)));
}
