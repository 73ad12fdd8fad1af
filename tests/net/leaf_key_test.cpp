#include "agent/net/leaf_key.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

using namespace lunar;

TEST_CASE("leaf key: its public key is what the supervisor takes, and each process has another one") {
  const auto one = LeafKey::generate();
  const auto two = LeafKey::generate();
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->public_key() != two->public_key());
  const auto taken = leaf_public_key(one->public_key());
  REQUIRE(taken);
  CHECK(EVP_PKEY_eq(taken->get(), one->get()) == 1);
  CHECK(public_key_der_of(**taken) == one->public_key());
}
