#include "agent/net/mint_message.h"

#include <doctest/doctest.h>

#include <limits>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

const WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15} + 12h};

MintQuestion question() {
  return {.number = 7,
          .request = {.public_key = std::string("k\0ey", 4),
                      .host = "api.example.com",
                      .names = {.dns = {"api.example.com", "", std::string("b\0", 2)},
                                .addresses = {*IpAddress::parse("198.18.0.1"), *IpAddress::parse("2001:db8::1")},
                                .common_name = "Lunar"},
                      .lifetime = 90s}};
}

MintAnswer leaf() {
  return {.number = std::numeric_limits<uint64_t>::max(),
          .leaf = MintedLeaf{.certificate = std::string("\0der", 4),
                             .chain = {"one", "", "two"},
                             .validity = {noon - 1h, noon + std::chrono::days(7) + 1ms}}};
}

// Sizes and counts are 8 bytes in this machine's order.
std::string with_number_at(std::string bytes, size_t at, uint64_t number) {
  return bytes.replace(at, sizeof number, reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

TEST_CASE("mint message: a question arrives as it was asked") {
  const MintQuestion sent = question();
  const auto received = mint_question_from(encode(sent));
  REQUIRE(received);
  CHECK(received->number == 7);
  CHECK(received->request.public_key == sent.request.public_key);
  CHECK(received->request.host == sent.request.host);
  CHECK(received->request.names.dns == sent.request.names.dns);
  CHECK(received->request.names.addresses == sent.request.names.addresses);
  CHECK(received->request.names.common_name == "Lunar");
  CHECK(received->request.lifetime == 90s);
  MintQuestion odd;
  odd.request.lifetime = std::chrono::seconds::min();
  CHECK(mint_question_from(encode(odd))->request.lifetime == std::chrono::seconds::min());
}

TEST_CASE("mint message: an answer arrives as it was given, a leaf as well as a reason") {
  const MintAnswer sent = leaf();
  const auto received = mint_answer_from(encode(sent));
  REQUIRE(received);
  CHECK(received->number == sent.number);
  REQUIRE(received->leaf);
  CHECK(received->leaf->certificate == sent.leaf->certificate);
  CHECK(received->leaf->chain == sent.leaf->chain);
  CHECK(received->leaf->validity.not_before == sent.leaf->validity.not_before);
  CHECK(received->leaf->validity.not_after == sent.leaf->validity.not_after);

  const auto refused = mint_answer_from(encode(MintAnswer{.number = 3, .leaf = fail("no authority", 2)}));
  REQUIRE(refused);
  CHECK(refused->number == 3);
  REQUIRE_FALSE(refused->leaf);
  CHECK(refused->leaf.error().text == "no authority");
  CHECK(refused->leaf.error().os_error == 0);
}

TEST_CASE("mint message: a long reason is cut") {
  const auto refused = mint_answer_from(encode(MintAnswer{.leaf = fail(std::string(5000, 'x'))}));
  REQUIRE(refused);
  CHECK(refused->leaf.error().text == std::string(max_mint_error_bytes, 'x'));
}

TEST_CASE("mint message: what is cut anywhere, or goes on behind its end, is none") {
  const std::string asked = encode(question());
  for (size_t size = 0; size < asked.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(mint_question_from(asked.substr(0, size)));
  }
  CHECK_FALSE(mint_question_from(asked + '\0'));
  for (const std::string& given : {encode(leaf()), encode(MintAnswer{.leaf = fail("no")})}) {
    for (size_t size = 0; size < given.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(mint_answer_from(given.substr(0, size)));
    }
    CHECK_FALSE(mint_answer_from(given + '\0'));
  }
}

TEST_CASE("mint message: sizes and counts that cannot be are refused before memory is taken for them") {
  const std::string asked = encode(MintQuestion{});
  // Number, lifetime, key, host, common name, DNS names, addresses: each is one number here.
  REQUIRE(asked.size() == 7 * sizeof(uint64_t));
  CHECK(mint_question_from(asked));
  for (size_t at = 2 * sizeof(uint64_t); at < asked.size(); at += sizeof(uint64_t)) {
    for (const uint64_t size : {uint64_t{1}, uint64_t{1} << 40U, uint64_t{1} << 61U, ~uint64_t{0}}) {
      CAPTURE(at);
      CAPTURE(size);
      CHECK_FALSE(mint_question_from(with_number_at(asked, at, size)));
    }
  }
}

TEST_CASE("mint message: an answer is a leaf or a reason, and nothing else") {
  const std::string given = encode(MintAnswer{.leaf = fail("no")});
  CHECK(mint_answer_from(given));
  for (const uint64_t outcome : {uint64_t{1}, uint64_t{2}, ~uint64_t{0}})
    CHECK_FALSE(mint_answer_from(with_number_at(given, sizeof(uint64_t), outcome)));
}
