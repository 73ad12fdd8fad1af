#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cstdio>

#include "agent/net/authority.h"
#include "agent/net/leaf_key.h"
#include "tests/net/der_builder.h"
#include "tests/net/leaf_verdict.h"
#include "tests/net/operator_ca.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

// Why lunard does not take it; empty if it does.
std::string objection(const OperatorCertificate& signer, const std::string& above, WallTime now = noon) {
  const auto loaded = LocalAuthority::load({.key = signer.key_pem(), .certificates = signer.pem() + above}, now);
  CHECK(ERR_peek_error() == 0);
  return loaded ? "" : loaded.error().text;
}

std::string objection_to(KeyPtr key, const OperatorKind& kind) {
  const OperatorCertificate root = issue("Example Root", nullptr, p384());
  return objection(issue("Example Egress", &root, std::move(key), kind), root.pem());
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

LeafRequest request_for(const std::string& names) {
  return {.public_key = p256_public_key(), .names = leaf_names(provider_der({.names = names}), "", false).value()};
}

}  // namespace

TEST_CASE("operator's CA: an intermediate signs leaves that clients of the operator's root take") {
  const OperatorCertificate root = issue("Example Root", nullptr, KeyPtr(EVP_RSA_gen(2048)));
  const OperatorCertificate middle = issue("Example Middle", &root, p384());
  for (KeyPtr& key : std::array{p256(), p384(), KeyPtr(EVP_RSA_gen(2048))}) {
    const OperatorCertificate egress =
        issue("Example Egress", &middle, std::move(key), {.constraints = "critical,CA:TRUE,pathlen:0"});
    // In any order above the one that signs.
    auto one =
        LocalAuthority::load({.key = egress.key_pem(), .certificates = egress.pem() + root.pem() + middle.pem()}, noon);
    REQUIRE_MESSAGE(one, one.error().text);
    CHECK(one->trust_bundle(noon) == root.pem());
    CHECK(one->certificates_pem() == egress.pem() + middle.pem() + root.pem());
    CHECK(one->describe().subject == "CN=Example Egress");
    CHECK(one->describe().issuer == "CN=Example Middle");
    const auto leaf = one->mint(request_for(dns_name("api.example.com")), noon);
    REQUIRE_MESSAGE(leaf, leaf.error().text);
    CHECK(leaf->chain == std::vector{der_of(*egress.certificate), der_of(*middle.certificate)});
    CHECK(verdict(*leaf, root.pem(), "api.example.com", noon) == X509_V_OK);
  }
}

TEST_CASE("operator's CA: a root of the operator signs as well") {
  const OperatorCertificate root = issue("Example Root", nullptr, p256());
  CHECK(objection(root, "") == "");
}

TEST_CASE("operator's CA: the chain must lead to a root among the certificates") {
  const OperatorCertificate root = issue("Example Root", nullptr, p384());
  const OperatorCertificate other = issue("Example Root", nullptr, p384());
  const OperatorCertificate middle = issue("Example Middle", &root, p384());
  const OperatorCertificate egress = issue("Example Egress", &middle, p256());
  CHECK(objection(egress, middle.pem() + root.pem()) == "");
  CHECK(mentions(objection(egress, middle.pem()), "append the certificates above it, up to the root"));
  CHECK(mentions(objection(egress, root.pem()), "append the certificates above it, up to the root"));
  CHECK(mentions(objection(egress, ""), "append the certificates above it, up to the root"));
  CHECK(mentions(objection(egress, middle.pem() + other.pem()), "\"CN=Example Middle\" is of no use to clients"));
  CHECK(mentions(objection(egress, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "damaged PEM"));
  std::string many;
  for (int i = 0; i < 16; ++i) many += root.pem();
  CHECK(mentions(objection(egress, many), "more than 16"));
}

TEST_CASE("operator's CA: what may not sign is refused with the reason") {
  CHECK(objection_to(p256(), {}) == "");
  CHECK(objection_to(p256(), {.usage = nullptr}) == "");
  CHECK(mentions(objection_to(p256(), {.constraints = "critical,CA:FALSE"}), "is no CA"));
  CHECK(mentions(objection_to(p256(), {.constraints = nullptr}), "is no CA"));
  CHECK(mentions(objection_to(p256(), {.usage = "critical,digitalSignature,cRLSign"}), "keyCertSign"));
  CHECK(mentions(objection_to(p256(), {.extended_usage = "clientAuth"}), "is of no use to clients"));
  CHECK(objection_to(p256(), {.extended_usage = "serverAuth,clientAuth"}) == "");
}

TEST_CASE("operator's CA: keys are P-256, P-384 or RSA of 2048 bits at least") {
  CHECK(objection_to(p384(), {}) == "");
  CHECK(mentions(objection_to(KeyPtr(EVP_EC_gen("P-521")), {}), "EC P-256, EC P-384 or RSA of 2048"));
  CHECK(mentions(objection_to(KeyPtr(EVP_EC_gen("secp256k1")), {}), "EC P-256, EC P-384 or RSA of 2048"));
  CHECK(mentions(objection_to(KeyPtr(EVP_RSA_gen(1024)), {}), "EC P-256, EC P-384 or RSA of 2048"));
  const OperatorCertificate weak = issue("Weak Root", nullptr, KeyPtr(EVP_RSA_gen(1024)));
  CHECK(mentions(objection(issue("Example Egress", &weak, p256()), weak.pem()), "\"CN=Weak Root\" is of no use"));
}

TEST_CASE("operator's CA: path lengths above it count") {
  const OperatorCertificate root =
      issue("Example Root", nullptr, p256(), {.constraints = "critical,CA:TRUE,pathlen:0"});
  CHECK(mentions(objection(issue("Example Egress", &root, p256()), root.pem()), "is of no use to clients"));
  CHECK(objection(root, "") == "");
}

TEST_CASE("operator's CA: it must be valid now, to the second, and so must what is above it") {
  const OperatorCertificate root = issue("Example Root", nullptr, p256());
  const OperatorCertificate egress = issue("Example Egress", &root, p256(), {.validity = {noon, noon + 1h}});
  CHECK(mentions(objection(egress, root.pem(), noon - 1s), "is valid from 2026-06-15 on: check the clock"));
  CHECK(objection(egress, root.pem(), noon) == "");
  CHECK(objection(egress, root.pem(), noon + 1h - 1s) == "");
  CHECK(mentions(objection(egress, root.pem(), noon + 1h), "expired on 2026-06-15"));
  const OperatorCertificate old = issue("Old Root", nullptr, p256(), {.validity = {noon - 2h, noon - 1h}});
  CHECK(mentions(objection(issue("Example Egress", &old, p256()), old.pem()), "\"CN=Old Root\" is of no use"));
}

TEST_CASE("operator's CA: a leaf ends with whatever in the chain ends first") {
  const OperatorCertificate root = issue("Example Root", nullptr, p256(), {.validity = {noon - 1h, noon + 2h}});
  const OperatorCertificate egress = issue("Example Egress", &root, p256());
  auto one = LocalAuthority::load({.key = egress.key_pem(), .certificates = egress.pem() + root.pem()}, noon);
  REQUIRE(one);
  CHECK(one->mint(request_for(dns_name("api.example.com")), noon)->validity.not_after == noon + 2h);
  CHECK(one->describe().validity.not_after == noon + std::chrono::days(365));
}

TEST_CASE("operator's CA: name constraints anywhere in the chain are honoured") {
  const OperatorCertificate root =
      issue("Example Root", nullptr, p256(), {.permitted = "critical,permitted;DNS:example.com"});
  const OperatorCertificate egress =
      issue("Example Egress", &root, p256(), {.permitted = "critical,excluded;DNS:pay.example.com"});
  auto one = LocalAuthority::load({.key = egress.key_pem(), .certificates = egress.pem() + root.pem()}, noon);
  REQUIRE_MESSAGE(one, one.error().text);
  CHECK(one->describe().permitted == std::vector<std::string>{"not pay.example.com", "example.com"});
  const auto leaf = one->mint(request_for(dns_name("api.example.com")), noon);
  REQUIRE_MESSAGE(leaf, leaf.error().text);
  CHECK(verdict(*leaf, root.pem(), "api.example.com", noon) == X509_V_OK);
  CHECK(mentions(one->mint(request_for(dns_name("a.pay.example.com")), noon).error().text, "a.pay.example.com"));
  CHECK(mentions(one->mint(request_for(dns_name("example.org")), noon).error().text, "example.org"));
}

TEST_CASE("operator's CA: constraints on other kinds of names are honoured where a leaf has them") {
  const OperatorCertificate other =
      issue("Example Root", nullptr, p256(), {.permitted = "critical,permitted;email:example.com"});
  auto one = LocalAuthority::load({.key = other.key_pem(), .certificates = other.pem()}, noon);
  REQUIRE_MESSAGE(one, one.error().text);
  const auto leaf = one->mint(request_for(dns_name("api.example.com")), noon);
  REQUIRE_MESSAGE(leaf, leaf.error().text);
  CHECK(verdict(*leaf, other.pem(), "api.example.com", noon) == X509_V_OK);

  // Subjects below CN=Example alone, which no leaf's is.
  std::string constraint = "critical,DER";
  for (const unsigned char byte : sequence(tlv(0xa0, sequence(tlv(0xa4, sequence(common_name("Example"))))))) {
    std::array<char, 4> digits{};
    snprintf(digits.data(), digits.size(), ":%02x", byte);
    constraint += digits.data();
  }
  const OperatorCertificate root = issue("Example Root", nullptr, p256(), {.permitted = constraint.c_str()});
  auto two = LocalAuthority::load({.key = root.key_pem(), .certificates = root.pem()}, noon);
  REQUIRE_MESSAGE(two, two.error().text);
  CHECK(mentions(two->mint(request_for(dns_name("api.example.com")), noon).error().text,
                 "may not certify the subject CN=api.example.com,"));
}

TEST_CASE("operator's CA: the key must be the first certificate's, readable and not encrypted") {
  const OperatorCertificate root = issue("Example Root", nullptr, p256());
  const OperatorCertificate egress = issue("Example Egress", &root, p256());
  const std::string chain = egress.pem() + root.pem();
  const auto why = [&](const std::string& key) {
    const auto loaded = LocalAuthority::load({.key = key, .certificates = chain}, noon);
    CHECK(ERR_peek_error() == 0);
    return loaded ? std::string() : loaded.error().text;
  };
  CHECK(why(egress.key_pem()) == "");
  CHECK(why(root.key_pem() + egress.key_pem()) == "");  // among others
  CHECK(why(chain + egress.key_pem()) == "");           // in one file with certificates
  CHECK(why(root.key_pem() + chain + egress.key_pem()) == "");
  CHECK(mentions(why(root.key_pem()), "does not belong to \"CN=Example Egress\""));
  CHECK(mentions(why(""), "no private key in PEM"));
  CHECK(mentions(why("nonsense"), "no private key in PEM"));
  CHECK(mentions(why(chain), "no private key in PEM"));
  const BioPtr memory = memory_bio();
  const std::string password = "secret";
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(memory.get(), egress.key.get(), EVP_aes_256_cbc(), password.data(), 6, nullptr,
                                        nullptr) == 1);
  CHECK(mentions(why(std::string(content_of(*memory))), "the key is encrypted"));
  const BioPtr traditional = memory_bio();
  REQUIRE(PEM_write_bio_PrivateKey_traditional(traditional.get(), egress.key.get(), nullptr, nullptr, 0, nullptr,
                                               nullptr) == 1);
  CHECK(why(std::string(content_of(*traditional))) == "");
  CHECK(mentions(LocalAuthority::load({.key = egress.key_pem(), .certificates = ""}, noon).error().text,
                 "there is no certificate in PEM"));
}
