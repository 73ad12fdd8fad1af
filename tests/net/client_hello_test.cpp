#include "agent/net/client_hello.h"

#include <doctest/doctest.h>

#include <memory>

#include "tests/net/hello_builder.h"

using namespace lunar;
using namespace lunar::test;

namespace {

HelloState parse(std::string_view bytes, ClientHello& out) {
  // A copy of exactly this size, so that a sanitizer sees any look behind it.
  auto copy = std::make_unique<char[]>(bytes.size() + 1);
  bytes.copy(copy.get(), bytes.size());
  return parse_client_hello({copy.get(), bytes.size()}, out);
}

HelloState state_of(std::string_view bytes) {
  ClientHello hello;
  return parse(bytes, hello);
}

const std::string usual_extensions =
    extension(0x2a2a, "") + sni_extension("API.example.com") + extension(0xff01, std::string(1, '\0')) +
    alpn_extension({"\x3a\x3a", "h2", "http/1.1"}) + versions_extension({0xcaca, 0x0304, 0x0303}) +
    extension(51, std::string(1250, 'k')) + extension(0x9a9a, "x");

const ClientHello usual_hello{"api.example.com", {"h2", "http/1.1"}, {0x0304, 0x0303}, false};

std::string with_extensions(const std::string& extensions) { return record(hello_message(extensions)); }

}  // namespace

TEST_CASE("client hello: gives name, protocols and versions, without GREASE") {
  ClientHello hello;
  REQUIRE(parse(with_extensions(usual_extensions), hello) == HelloState::complete);
  CHECK(hello == usual_hello);
  CHECK(hello.offers_alpn("h2"));
  CHECK_FALSE(hello.offers_alpn("h3"));
}

TEST_CASE("client hello: is incomplete for every prefix, and nothing behind it matters") {
  std::string bytes = with_extensions(usual_extensions);
  for (size_t size = 0; size < bytes.size(); ++size)
    CHECK(state_of(std::string_view(bytes).substr(0, size)) == HelloState::incomplete);
  ClientHello hello;
  CHECK(parse(bytes + "\x99 anything", hello) == HelloState::complete);
  CHECK(hello == usual_hello);
}

TEST_CASE("client hello: may be spread over records of any size") {
  std::string message = hello_message(usual_extensions);
  for (size_t size : {1UL, 2UL, 3UL, 4UL, 5UL, 7UL, 100UL, message.size() - 1, message.size()}) {
    CAPTURE(size);
    std::string bytes = in_records(message, size);
    ClientHello hello;
    REQUIRE(parse(bytes, hello) == HelloState::complete);
    CHECK(hello == usual_hello);
    for (size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 50)
      CHECK(state_of(std::string_view(bytes).substr(0, cut)) == HelloState::incomplete);
  }
}

TEST_CASE("client hello: post-quantum key shares and padding fit up to 64 KiB, not above") {
  std::string message = hello_message(usual_extensions + extension(21, std::string(60'000, '\0')));
  ClientHello hello;
  CHECK(parse(in_records(message, 16384), hello) == HelloState::complete);
  CHECK(hello == usual_hello);
  std::string too_long = number(1, 1) + number(64 * 1024 + 1, 3);
  CHECK(state_of(record(too_long)) == HelloState::not_tls);
  CHECK(state_of(record(number(1, 1) + number(64 * 1024, 3))) == HelloState::incomplete);
}

TEST_CASE("client hello: more bytes than a caller may keep are not TLS, however they are cut into records") {
  std::string bytes = in_records(hello_message(extension(21, std::string(60'000, '\0'))), 2);
  REQUIRE(bytes.size() > max_hello_bytes);
  CHECK(state_of(bytes) == HelloState::not_tls);
  CHECK(state_of(bytes.substr(0, max_hello_bytes)) == HelloState::not_tls);
  CHECK(state_of(bytes.substr(0, max_hello_bytes - 1)) == HelloState::incomplete);
}

TEST_CASE("client hello: without SNI or without extensions is complete") {
  ClientHello hello;
  CHECK(parse(with_extensions(alpn_extension({"h2"})), hello) == HelloState::complete);
  CHECK(hello == ClientHello{"", {"h2"}, {0x0303}, false});
  std::string body = number(0x0301, 2) + std::string(32, 'r') + vector("", 1) + vector(std::string("\0\x2f", 2), 2) +
                     vector(std::string(1, '\0'), 1);
  CHECK(parse(record(number(1, 1) + vector(body, 3)), hello) == HelloState::complete);
  CHECK(hello == ClientHello{"", {}, {0x0301}, false});
}

TEST_CASE("client hello: tells that the true name is encrypted") {
  ClientHello hello;
  CHECK(parse(with_extensions(sni_extension("public.example.com") + extension(0xfe0d, std::string(200, 'e'))), hello) ==
        HelloState::complete);
  CHECK(hello.encrypted_hello);
  CHECK(hello.sni == "public.example.com");
}

TEST_CASE("client hello: a name that is none is as if it was not sent") {
  ClientHello hello;
  for (std::string_view name : {"a b", "a/b", "a\nb", "", "\xc3\xa4.example.com"}) {
    CHECK(parse(with_extensions(sni_extension(name)), hello) == HelloState::complete);
    CHECK(hello.sni.empty());
  }
  CHECK(parse(with_extensions(sni_extension(std::string("a\0b", 3))), hello) == HelloState::complete);
  CHECK(hello.sni.empty());
  CHECK(parse(with_extensions(sni_extension(std::string(254, 'a'))), hello) == HelloState::complete);
  CHECK(hello.sni.empty());
  CHECK(parse(with_extensions(sni_extension("Example.COM.")), hello) == HelloState::complete);
  CHECK(hello.sni == "example.com");
}

TEST_CASE("client hello: everything else is recognised with its first wrong byte") {
  const std::pair<std::string, size_t> cases[] = {
      {"GET / HTTP/1.1\r\n", 1},
      {std::string("\x80\x2e\x01\x03\x01", 5), 1},                  // SSLv2
      {std::string("\x17\x03\x03", 3), 1},                          // application data
      {std::string("\x16\x02\x00", 3), 2},                          //
      {std::string("\x16\x03\x05", 3), 3},                          //
      {std::string("\x16\x03\x01\x00\x00", 5), 5},                  // empty record
      {std::string("\x16\x03\x01\x40\x01", 5), 5},                  // record above 2^14
      {std::string("\x16\x03\x01\x00\x10\x02", 6), 6},              // ServerHello
      {std::string("\x16\x03\x01\x00\x10\x01\x02\x00\x00", 9), 9},  // message of 128 KiB
  };
  for (const auto& [bytes, wrong] : cases) {
    CHECK(state_of(std::string_view(bytes).substr(0, wrong - 1)) == HelloState::incomplete);
    CHECK(state_of(std::string_view(bytes).substr(0, wrong)) == HelloState::not_tls);
    CHECK(state_of(bytes) == HelloState::not_tls);
  }
  CHECK(state_of(record("\x01") + record("x", 21)) == HelloState::not_tls);  // an alert in between
}

TEST_CASE("client hello: lengths that contradict each other are not TLS") {
  std::string good = sni_extension("a.example.com");
  for (const std::string& extensions : {
           number(0, 2) + number(200, 2) + "short",                       // extension behind the end
           extension(0, ""),                                              // no list of names
           extension(0, number(9, 2) + "x"),                              //
           extension(0, vector(number(0, 1) + vector("a", 2), 2) + "x"),  // bytes behind the list
           extension(16, vector(vector("", 1), 2)),                       // empty protocol
           extension(16, number(3, 2) + "\x02h"),                         //
           extension(43, vector("\x03", 1)),                              // half a version
           good + good,                                                   //
           std::string("\0", 1),                                          // half a type
       })
    CHECK(state_of(with_extensions(extensions)) == HelloState::not_tls);
  auto message = [](const std::string& body) { return record(number(1, 1) + vector(body, 3)); };
  std::string start = number(0x0303, 2) + std::string(32, 'r');
  std::string null(1, '\0');
  CHECK(state_of(message("")) == HelloState::not_tls);
  CHECK(state_of(message(start)) == HelloState::not_tls);
  CHECK(state_of(message(start + vector(std::string(33, 's'), 1) + vector("ab", 2) + vector(null, 1))) ==
        HelloState::not_tls);
  CHECK(state_of(message(start + vector("", 1) + vector("", 2) + vector(null, 1))) == HelloState::not_tls);
  CHECK(state_of(message(start + vector("", 1) + vector("abc", 2) + vector(null, 1))) == HelloState::not_tls);
  CHECK(state_of(message(start + vector("", 1) + vector("ab", 2) + vector("", 1))) == HelloState::not_tls);
  CHECK(state_of(message(start + vector("", 1) + vector("ab", 2) + vector(null, 1) + vector("", 2) + "x")) ==
        HelloState::not_tls);
}
