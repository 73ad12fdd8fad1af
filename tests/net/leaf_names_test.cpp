#include "agent/net/leaf_names.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include "tests/net/der_builder.h"

using namespace lunar;
using namespace lunar::test;

namespace {

using Texts = std::vector<std::string>;

// Whoever signs takes what was found.
Result<LeafNames> names(const ProviderShape& shape, std::string_view host = "", bool verified = false) {
  auto out = leaf_names(provider_der(shape), host, verified);
  CHECK(ERR_peek_error() == 0);
  if (out) CHECK(check_leaf_names(*out, verified ? host : ""));
  return out;
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

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

TEST_CASE("leaf names: what is no certificate, or too much of one, is refused") {
  const auto why = [](std::string_view der) {
    const auto out = leaf_names(der, "", false);
    CHECK(ERR_peek_error() == 0);
    return out ? "" : out.error().text;
  };
  const std::string good = provider_der({.names = dns_name("api.example.com")});
  CHECK(why(good) == "");
  for (size_t size = 0; size < good.size(); ++size)
    CHECK(mentions(why(std::string_view(good).substr(0, size)), "the provider's certificate: not a certificate"));
  CHECK(mentions(why(good + "x"), "bytes behind its end"));
  CHECK(mentions(why(provider_der({.names = numbered(6000)})), "too large"));
  CHECK(mentions(why(provider_der({.names = uri_name("https://example.com/")})), "no host name or address"));
}

TEST_CASE("leaf names: odd certificates that a provider may well have are read") {
  ProviderShape shape{.names = dns_name("api.example.com")};
  const auto works = [&] { return dns(shape, "api.example.com", true) == Texts{"api.example.com"}; };
  shape.serial = "\xff";  // negative
  CHECK(works());
  shape.serial = std::string(100, '\x7f');
  CHECK(works());
  shape.subject = "";
  CHECK(works());
  shape.public_key = explicit_public_key();
  CHECK(works());
  shape.public_key = sequence(sequence(oid("\x2a\x03\x04")) + bits("a kind of key from the future"));
  CHECK(works());
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

TEST_CASE("check of leaf names: what no certificate gives is refused, whatever the sender says about it") {
  const LeafNames good{.dns = {"api.example.com", "*.example.com"},
                       .addresses = {*IpAddress::parse("198.18.0.1"), *IpAddress::parse("2001:db8::1")},
                       .common_name = "api.example.com"};
  const auto why = [&](auto change, std::string_view host = "") {
    LeafNames names = good;
    change(names);
    const auto checked = check_leaf_names(names, host);
    return checked ? "" : checked.error().text;
  };
  CHECK(why([](LeafNames&) {}) == "");
  CHECK(why([](LeafNames& n) { n.dns.clear(), n.common_name = "Lunar"; }) == "");
  for (const std::string& bad :
       {std::string(), std::string("API.example.com"), std::string("*.com"), std::string("f*.example.com"),
        std::string("a.*.example.com"), std::string("198.18.0.1"), std::string("a b"), std::string("a\0b", 3),
        std::string("a.example.com."), std::string("b\xc3\xbc.example.com"), std::string(254, 'a')}) {
    CAPTURE(bad);
    CHECK(mentions(why([&](LeafNames& n) { n.dns.push_back(bad); }), "no host name"));
    CHECK(mentions(why([&](LeafNames& n) { n.common_name = bad; }), "common name"));
  }
  CHECK(mentions(why([](LeafNames& n) { n.common_name = "other.test"; }), "common name"));
  CHECK(mentions(why([](LeafNames& n) { n.dns.clear(); }), "common name"));
  CHECK(why([](LeafNames& n) { n.common_name = "b.example.com"; }) == "");  // below the wildcard
  CHECK(mentions(why([](LeafNames& n) { n = {.common_name = "Lunar"}; }), "a name at least"));
}

TEST_CASE("check of leaf names: a hundred names of 16 KiB together are taken, and no more") {
  const std::string rest = "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
  LeafNames names{.common_name = "Lunar"};
  for (size_t i = 0; i < 64; ++i) names.dns.push_back(std::to_string(1000 + i) + std::string(59, 'a') + rest);
  for (uint32_t i = 0; i < 36; ++i) names.addresses.push_back(IpAddress::v4(i));
  CHECK(check_leaf_names(names, ""));
  names.addresses.pop_back();
  // 64 names of 253 bytes and 35 addresses of 4 leave 52.
  names.dns.push_back(std::string(52, 'x'));
  CHECK(check_leaf_names(names, ""));
  names.dns.back() += 'x';
  CHECK_FALSE(check_leaf_names(names, ""));
  names.dns.back() = "x";
  CHECK(check_leaf_names(names, ""));
  names.addresses.push_back(IpAddress::v4(99));
  CHECK_FALSE(check_leaf_names(names, ""));
}

TEST_CASE("check of leaf names: the host asked for is covered by them") {
  const LeafNames names{
      .dns = {"*.example.com"}, .addresses = {*IpAddress::parse("2001:db8::1")}, .common_name = "*.example.com"};
  for (const std::string_view host : {"", "api.example.com", "API.example.com", "2001:db8::1"})
    CHECK_MESSAGE(check_leaf_names(names, host), host);
  for (const std::string_view host :
       {"example.com", "a.b.example.com", "other.test", "2001:db8::2", "*.example.com", "a b.example.com"})
    CHECK_MESSAGE(!check_leaf_names(names, host), host);
}
