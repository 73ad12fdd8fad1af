#include "agent/net/authority.h"

#include <doctest/doctest.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <algorithm>
#include <set>

#include "agent/net/leaf_key.h"
#include "tests/net/der_builder.h"
#include "tests/net/leaf_verdict.h"
#include "tests/net/operator_ca.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

const LeafKey& gateway_key() {
  static const LeafKey key = std::move(*LeafKey::generate());
  return key;
}

LocalAuthority authority(const RootSettings& settings = {.hostname = "shop-1"}, WallTime now = noon) {
  auto out = LocalAuthority::create(settings, now);
  REQUIRE_MESSAGE(out, out.error().text);
  return std::move(*out);
}

LeafRequest request_for(const ProviderShape& shape, const std::string& host = "") {
  const auto names = leaf_names(provider_der(shape), host, true);
  REQUIRE_MESSAGE(names, names.error().text);
  return {.public_key = gateway_key().public_key(), .host = host, .names = *names};
}

const std::string v4 = from_hex("c6120001");
const std::string v6 = from_hex("20010db8000000000000000000000001");
const ProviderShape usual{.names = dns_name("api.example.com") + dns_name("*.cdn.example.com") +
                                   dns_name("xn--bcher-kva.example.com") + ip_name(v4) + ip_name(v6)};

MintedLeaf mint(const LocalAuthority& by, const LeafRequest& request, WallTime now = noon) {
  auto out = by.mint(request, now);
  REQUIRE_MESSAGE(out, out.error().text);
  CHECK(ERR_peek_error() == 0);
  return std::move(*out);
}

std::string refusal(const LocalAuthority& by, const LeafRequest& request, WallTime now = noon) {
  auto out = by.mint(request, now);
  REQUIRE_FALSE(out);
  CHECK(ERR_peek_error() == 0);
  CHECK(out.error().text.find('\n') == std::string::npos);
  return out.error().text;
}

CertificatePtr parsed(const MintedLeaf& minted) {
  auto out = certificate_from_der(minted.certificate);
  REQUIRE(out);
  return std::move(*out);
}

std::vector<int> extensions_of(X509& certificate, bool critical) {
  std::vector<int> out;
  for (int i = 0; i < X509_get_ext_count(&certificate); ++i) {
    X509_EXTENSION* const extension = X509_get_ext(&certificate, i);
    if ((X509_EXTENSION_get_critical(extension) == 1) == critical)
      out.push_back(OBJ_obj2nid(X509_EXTENSION_get_object(extension)));
  }
  return out;
}

std::string serial_of(const X509& certificate) {
  const std::unique_ptr<BIGNUM, decltype([](BIGNUM* number) { BN_free(number); })> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  CHECK(BN_is_negative(number.get()) == 0);
  CHECK(BN_num_bits(number.get()) == 159);
  std::string out(20, '\0');
  BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
  return out;
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("local authority: a new root is a P-256 CA for servers' certificates alone, valid for ten years") {
  const LocalAuthority one = authority();
  auto roots = certificates_from_pem(one.certificates_pem(), 10);
  REQUIRE(roots);
  REQUIRE(roots->size() == 1);
  X509& root = *roots->front();
  CHECK(X509_self_signed(&root, 1) == 1);
  CHECK(X509_check_ca(&root) == 1);
  CHECK(X509_get_pathlen(&root) == 0);
  CHECK(X509_get_key_usage(&root) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  CHECK(X509_get_signature_nid(&root) == NID_ecdsa_with_SHA256);
  CHECK(public_key_der_of(*X509_get0_pubkey(&root)).size() == 91);
  CHECK(extensions_of(root, true) == std::vector{NID_basic_constraints, NID_key_usage});
  CHECK(extensions_of(root, false) == std::vector{NID_subject_key_identifier});
  CHECK(one.describe().subject.starts_with("CN=Lunar local CA shop-1 "));
  CHECK(one.describe().subject == one.describe().issuer);
  CHECK(one.describe().validity.not_before == noon - 1h);
  CHECK(one.describe().validity.not_after == noon + std::chrono::days(3652));
  CHECK(one.describe().fingerprint == fingerprint_of(root));
  CHECK(one.describe().fingerprint.size() == 95);
  CHECK(one.describe().permitted.empty());
  CHECK(one.trust_bundle(noon) == one.certificates_pem());
  CHECK(one.previous_pem().empty());
  CHECK(serial_of(root) != serial_of(*certificates_from_pem(authority().certificates_pem(), 1)->front()));
}

TEST_CASE("local authority: names of machines that are long, odd or missing still make a root") {
  for (const std::string& hostname :
       {std::string(), std::string(300, 'h'), std::string("a\nb\0c", 5), std::string("h\xc3\xb6st")}) {
    const LocalAuthority one = authority({.hostname = hostname});
    CHECK(one.describe().subject.starts_with("CN=Lunar local CA "));
    CHECK(std::ranges::all_of(one.describe().subject, [](char c) { return c >= ' ' && c < 0x7f; }));
  }
}

TEST_CASE("local authority: a root lives for a day at least and 30 years at most") {
  CHECK(LocalAuthority::create({.lifetime = 24h}, noon));
  CHECK_FALSE(LocalAuthority::create({.lifetime = 24h - 1s}, noon));
  CHECK_FALSE(LocalAuthority::create({.lifetime = std::chrono::days(11000)}, noon));
  CHECK_FALSE(LocalAuthority::create({.lifetime = -1s}, noon));
}

TEST_CASE("mint: clients take the leaf for every name of the provider, and for no other") {
  const LocalAuthority one = authority();
  const MintedLeaf leaf = mint(one, request_for(usual));
  CHECK(names_in(*parsed(leaf)) == Texts{"DNS:api.example.com", "DNS:*.cdn.example.com",
                                         "DNS:xn--bcher-kva.example.com", "IP:198.18.0.1", "IP:2001:db8::1"});
  CHECK(leaf.chain.empty());
  for (const char* host :
       {"", "api.example.com", "a.cdn.example.com", "xn--bcher-kva.example.com", "198.18.0.1", "2001:db8::1"})
    CHECK_MESSAGE(verdict(leaf, one.trust_bundle(noon), host, noon) == X509_V_OK, host);
  CHECK(verdict(leaf, one.trust_bundle(noon), "example.com", noon) == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verdict(leaf, one.trust_bundle(noon), "a.b.cdn.example.com", noon) == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verdict(leaf, one.trust_bundle(noon), "198.18.0.2", noon) == X509_V_ERR_IP_ADDRESS_MISMATCH);
  CHECK(verdict(leaf, authority().trust_bundle(noon), "", noon) != X509_V_OK);
}

TEST_CASE("mint: the leaf is a server's certificate for the gateway's key, and has nothing else") {
  const LocalAuthority one = authority();
  const MintedLeaf minted = mint(one, request_for(usual, "api.example.com"));
  const CertificatePtr leaf = parsed(minted);
  CHECK(public_key_der_of(*X509_get0_pubkey(leaf.get())) == gateway_key().public_key());
  CHECK(X509_check_private_key(leaf.get(), gateway_key().get()) == 1);
  CHECK(X509_get_version(leaf.get()) == X509_VERSION_3);
  CHECK(text_of(*X509_get_subject_name(leaf.get())) == "CN=api.example.com");
  CHECK(X509_check_ca(leaf.get()) == 0);
  CHECK(X509_get_key_usage(leaf.get()) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_get_extended_key_usage(leaf.get()) == XKU_SSL_SERVER);
  CHECK(extensions_of(*leaf, true) == std::vector{NID_basic_constraints, NID_key_usage});
  CHECK(extensions_of(*leaf, false) ==
        std::vector{NID_ext_key_usage, NID_subject_alt_name, NID_subject_key_identifier, NID_authority_key_identifier});
  const auto root = certificates_from_pem(one.certificates_pem(), 1);
  CHECK(ASN1_STRING_cmp(X509_get0_authority_key_id(leaf.get()), X509_get0_subject_key_id(root->front().get())) == 0);
  CHECK(serial_of(*leaf) != serial_of(*parsed(mint(one, request_for(usual, "api.example.com")))));
}

TEST_CASE("mint: a provider's own extensions and its being a CA are not mirrored") {
  const std::string must_staple = sequence(oid(from_hex("2b06010505070118")) + octets(sequence(integer("\x05"))));
  ProviderShape shape = usual;
  shape.more_extensions = ca_extension() + must_staple;
  const CertificatePtr leaf = parsed(mint(authority(), request_for(shape)));
  CHECK(X509_check_ca(leaf.get()) == 0);
  CHECK(X509_get_ext_by_NID(leaf.get(), NID_tlsfeature, -1) == -1);
}

TEST_CASE("mint: a leaf is valid from an hour ago until its lifetime is over, to the second") {
  const LocalAuthority one = authority();
  LeafRequest request = request_for(usual);
  const std::string roots = one.trust_bundle(noon);
  const MintedLeaf week = mint(one, request, noon + 999ms);
  CHECK(week.validity.not_before == noon - 1h);
  CHECK(week.validity.not_after == noon + std::chrono::days(7));
  CHECK(verdict(week, roots, "", noon - 1h - 1s) == X509_V_ERR_CERT_NOT_YET_VALID);
  CHECK(verdict(week, roots, "", noon - 1h) == X509_V_OK);
  CHECK(verdict(week, roots, "", noon + std::chrono::days(7) - 1s) == X509_V_OK);
  CHECK(verdict(week, roots, "", noon + std::chrono::days(7)) == X509_V_ERR_CERT_HAS_EXPIRED);
  request.lifetime = 90s;
  CHECK(mint(one, request).validity.not_after == noon + 90s);
  for (const std::chrono::seconds wrong : {std::chrono::seconds(std::chrono::days(7)) + 1s, 59s, 0s, -1s}) {
    request.lifetime = wrong;
    CHECK(mentions(refusal(one, request), "7 days"));
  }
}

TEST_CASE("mint: a leaf never outlives its authority, and a dead authority mints nothing") {
  const LocalAuthority one = authority({.lifetime = std::chrono::days(30)});
  const WallTime end = noon + std::chrono::days(30);
  CHECK(mint(one, request_for(usual), end - 1h).validity.not_after == end);
  CHECK(mint(one, request_for(usual), end - 1s).validity.not_after == end);
  CHECK(mentions(refusal(one, request_for(usual), end), "expired on 2026-07-15: lunarctl ca rotate"));
}

TEST_CASE("mint: only a P-256 point with the curve's name is taken for a key") {
  const LocalAuthority one = authority();
  LeafRequest request = request_for(usual);
  std::string off_curve = p256_public_key();
  off_curve.back() = static_cast<char>(off_curve.back() ^ 1);
  const auto compressed = p256_public_key("\x03" + p256_generator.substr(1, 32));
  const std::string rsa = public_key_der_of(*KeyPtr(EVP_RSA_gen(2048)));
  for (const std::string& wrong :
       {std::string(), std::string("x"), off_curve, compressed, explicit_public_key(), rsa, public_key_der_of(*p384()),
        p256_public_key() + "x", p256_public_key(std::string(1, '\0'))}) {
    request.public_key = wrong;
    CHECK(mentions(refusal(one, request), "public key of a leaf certificate"));
  }
  request.public_key = p256_public_key();
  CHECK(verdict(mint(one, request), one.trust_bundle(noon), "api.example.com", noon) == X509_V_OK);
}

TEST_CASE("mint: names that no provider's certificate gives are refused before anything is signed") {
  const LocalAuthority one = authority();
  LeafRequest request = request_for(usual, "api.example.com");
  CHECK(verdict(mint(one, request), one.trust_bundle(noon), "api.example.com", noon) == X509_V_OK);
  request.host = "other.example.com";
  CHECK(mentions(refusal(one, request), "must be one of the leaf certificate's"));
  request.host = "";
  request.names.dns.emplace_back("*");
  CHECK(mentions(refusal(one, request), "no host name"));
  request.names.dns.back() = "a\nb";
  CHECK(mentions(refusal(one, request), "no host name"));
  request.names.dns.pop_back();
  request.names.common_name = "Some CA";
  CHECK(mentions(refusal(one, request), "common name"));
  request.names = {.common_name = "Lunar"};
  CHECK(mentions(refusal(one, request), "a name at least"));
}

TEST_CASE("mint: of a provider with a thousand names the one asked for is certified") {
  std::string many;
  for (size_t i = 0; i < 1000; ++i) many += dns_name("n" + std::to_string(i) + ".example.com");
  const LocalAuthority one = authority();
  const MintedLeaf leaf = mint(one, request_for({.names = many}, "n999.example.com"));
  CHECK(verdict(leaf, one.trust_bundle(noon), "n999.example.com", noon) == X509_V_OK);
  CHECK(names_in(*parsed(leaf)).size() == 100);
}

TEST_CASE("name constraints: a leaf of which one name is outside of them is refused, and the name is said") {
  const LocalAuthority one =
      authority({.permitted = {.dns = {"example.com"}, .addresses = {*Prefix::parse("198.18.0.0/15")}}});
  CHECK(one.describe().permitted == Texts{"example.com", "198.18.0.0/15", "not ::/0"});
  const std::string roots = one.trust_bundle(noon);
  const ProviderShape inside{.names = dns_name("example.com") + dns_name("*.example.com") + ip_name(v4)};
  CHECK(verdict(mint(one, request_for(inside)), roots, "a.example.com", noon) == X509_V_OK);
  CHECK(verdict(mint(one, request_for({.names = ip_name(v4)})), roots, "198.18.0.1", noon) == X509_V_OK);
  const auto with = [&](const std::string& name) { return refusal(one, request_for({.names = inside.names + name})); };
  CHECK(mentions(with(dns_name("example.org")), "may not certify example.org,"));
  CHECK(mentions(with(dns_name("notexample.com")), "may not certify notexample.com,"));
  CHECK(mentions(with(dns_name("*.test.org")), "may not certify *.test.org,"));
  CHECK(mentions(with(ip_name(from_hex("c6140001"))), "may not certify 198.20.0.1,"));
  CHECK(mentions(with(ip_name(v6)), "may not certify 2001:db8::1,"));
  CHECK(extensions_of(*certificates_from_pem(roots, 1)->front(), true) ==
        std::vector{NID_basic_constraints, NID_key_usage, NID_name_constraints});
}

TEST_CASE("name constraints: a kind of name without an entry is forbidden altogether") {
  const LocalAuthority names = authority({.permitted = {.dns = {"example.com"}}});
  CHECK(mentions(refusal(names, request_for({.names = ip_name(v4)})), "198.18.0.1"));
  const LocalAuthority addresses = authority({.permitted = {.addresses = {*Prefix::parse("2001:db8::/32")}}});
  CHECK(addresses.describe().permitted == Texts{"2001:db8::/32", "not any name", "not 0.0.0.0/0"});
  CHECK(mentions(refusal(addresses, request_for({.names = dns_name("api.example.com")})), "api.example.com"));
  CHECK(mentions(refusal(addresses, request_for({.names = ip_name(v4)})), "198.18.0.1"));
  CHECK(verdict(mint(addresses, request_for({.names = ip_name(v6)})), addresses.trust_bundle(noon), "2001:db8::1",
                noon) == X509_V_OK);
}

TEST_CASE("name constraints: what is no domain is refused with an example") {
  for (const char* wrong : {"", "*.example.com", ".example.com", "Example.com", "a b"})
    CHECK(mentions(LocalAuthority::create({.permitted = {.dns = {wrong}}}, noon).error().text, "example.com"));
}

TEST_CASE("rotation: the bundle trusts both roots until the old one ends, and old leaves stay valid") {
  const LocalAuthority old = authority({.hostname = "shop-1", .lifetime = std::chrono::days(30)});
  const MintedLeaf old_leaf = mint(old, request_for(usual), noon + std::chrono::days(20));
  const WallTime later = noon + std::chrono::days(21);
  auto fresh = old.rotate({.hostname = "shop-1"}, later);
  REQUIRE(fresh);
  const MintedLeaf fresh_leaf = mint(*fresh, request_for(usual), later);
  const std::string bundle = fresh->trust_bundle(later);
  CHECK(bundle == fresh->certificates_pem() + old.certificates_pem());
  CHECK(fresh->root_pems(later).size() == 2);
  CHECK(verdict(old_leaf, bundle, "api.example.com", later) == X509_V_OK);
  CHECK(verdict(fresh_leaf, bundle, "api.example.com", later) == X509_V_OK);
  CHECK(verdict(fresh_leaf, old.trust_bundle(later), "", later) != X509_V_OK);
  CHECK(fresh->describe().subject != old.describe().subject);
  CHECK(fresh->previous_pem() == old.certificates_pem());
  const WallTime end = noon + std::chrono::days(30);
  CHECK(fresh->root_pems(end - 1s).size() == 2);
  CHECK(fresh->root_pems(end).size() == 1);
  auto third = fresh->rotate({}, end);
  REQUIRE(third);
  CHECK(third->previous_pem() == fresh->certificates_pem());
}

TEST_CASE("rotation: an authority as texts is the same authority, and has no key of an earlier one") {
  const LocalAuthority old = authority();
  auto fresh = old.rotate({}, noon);
  REQUIRE(fresh);
  const auto key = fresh->key_pem();
  REQUIRE(key);
  auto loaded = LocalAuthority::load(
      {.key = key->view(), .certificates = fresh->certificates_pem(), .previous = fresh->previous_pem()}, noon);
  REQUIRE_MESSAGE(loaded, loaded.error().text);
  CHECK(loaded->describe().fingerprint == fresh->describe().fingerprint);
  CHECK(loaded->trust_bundle(noon) == fresh->trust_bundle(noon));
  CHECK(verdict(mint(*loaded, request_for(usual)), fresh->trust_bundle(noon), "", noon) == X509_V_OK);
  CHECK(key->view().find(old.key_pem()->view()) == std::string_view::npos);
}
