#include "agent/config/gateway_config.h"

#include <doctest/doctest.h>

#include "tests/config/temporary_dir.h"

using namespace lunar;
using lunar::test::TemporaryDir;

namespace {

std::string printed(const LoadedGatewayConfig& loaded) {
  std::string out;
  for (const Diagnostic& finding : loaded.diagnostics.list()) out += finding.print() + "\n";
  return out;
}

}  // namespace

TEST_CASE("gateway config: empty files, absent keys and nulls are valid") {
  TemporaryDir root;
  for (std::string_view text : {"", "allowed_domains:\nmTLS: null\nexporters:\n", "{}"}) {
    auto loaded = read_gateway_config(text, root.path());
    CHECK(printed(loaded).empty());
    CHECK(loaded.config.domains.empty());
    CHECK(loaded.config.file_exporter.name == "har.ndjson");
  }
  CHECK(printed(load_gateway_config(root.path())).empty());
}

TEST_CASE("gateway config: everything of the specification is kept") {
  TemporaryDir root;
  root.write("certs/mtls/bank.pem", "x");
  root.write("certs/mtls/bank-ca.pem", "x");
  root.write("certs/mtls/shop.crt", "x");
  root.write("certs/mtls/shop.key", "x");
  root.write("gateway_config.yaml",
             "allowed_domains: ['(^|\\.)example\\.com$']\nblocked_domains: ['^admin\\.']\n"
             "exporters: {file: {exporter_id: audit, file_dir: " +
                 root.path() +
                 ", file_name: audit.ndjson, max_size_mb: 50}}\n"
                 "trace_exporter: {trace_exporter_id: collector, traces_endpoint: \"otel.example.com:4318\"}\n"
                 "mTLS: [{domain: bank.example.com, cert: certs/mtls/bank.pem, ca: certs/mtls/bank-ca.pem},\n"
                 "       {domain: \"*.shop.example.com\", cert: certs/mtls/shop.crt}]\n"
                 "provider_tls: [{domain: \"*.lab.example.com\", min_version: 1.3}, {domain: x.lab.example.com}]\n");
  auto loaded = load_gateway_config(root.path());
  CHECK(printed(loaded).empty());
  const GatewayConfig& config = loaded.config;
  CHECK(config.domains.check("a.example.com", 443) == DomainLists::Verdict::pass);
  CHECK(config.domains.check("a.example.org", 443) == DomainLists::Verdict::not_allowed);
  CHECK(config.file_exporter.id == "audit");
  CHECK(config.file_exporter.max_size_mb == 50);
  CHECK(config.file_exporter.max_files == 3);
  CHECK(config.trace_exporter->endpoint == "http://otel.example.com:4318/v1/traces");
  REQUIRE(config.client_certificates.size() == 2);
  CHECK(config.certificate_for("bank.example.com")->key == root.path() + "/certs/mtls/bank.pem");
  CHECK(config.certificate_for("bank.example.com")->ca == root.path() + "/certs/mtls/bank-ca.pem");
  CHECK(config.certificate_for("a.shop.example.com")->key == root.path() + "/certs/mtls/shop.key");
  CHECK(config.certificate_for("other.example.com") == nullptr);
  CHECK(config.tls_for("a.lab.example.com")->min_version == LowestTls::tls13);
  CHECK(config.tls_for("x.lab.example.com")->min_version == LowestTls::tls12);
  CHECK(config.tls_for("lab.example.com") == nullptr);
}

TEST_CASE("gateway config: every fault is found at its place") {
  TemporaryDir root;
  root.write("c.pem", "x");
  const std::string absent = root.path() + "/no.pem cannot be read: No such file or directory";
  const std::pair<std::string, std::string> cases[] = {
      {"[a]", "1:1: error: expected a mapping, found a list [bad-type]"},
      {"allowed_domain: [a]",
       "1:1: warning: `allowed_domain` is not known here and has no effect; did you mean `allowed_domains`? "
       "[unknown-key]"},
      {"allowed_domains: [a, '(']", "1:22: error: \"(\": missing ): ( [bad-regex]"},
      {"blocked_domains: [['a']]", "1:19: error: expected a text, found a list [bad-type]"},
      {"mTLS: [{cert: c.pem}]", "1:8: error: `domain` is required here [bad-type]"},
      {"mTLS: [{domain: a}]", "1:8: error: `cert` is required here [bad-type]"},
      {"mTLS: [{domain: a, cert: no.pem}]", "1:26: error: " + absent + " [file-unusable]"},
      {"mTLS: [{domain: a, cert: c.pem, ca: no.pem}]", "1:37: error: " + absent + " [file-unusable]"},
      {"mTLS: [{domain: a, cert: c.pem}, {domain: A, cert: c.pem}]", "1:43: error: a is here twice [duplicate-domain]"},
      {"mTLS: [x]", "1:8: error: expected a mapping, found \"x\" [bad-type]"},
      {"provider_tls: [{domain: 'a*'}]", "1:25: error: \"a*\" is neither a host nor *. and a domain [bad-type]"},
      {"provider_tls: [{domain: a, tls_verify: false}]",
       "1:40: warning: the certificate of this provider is not verified [unverified-tls]"},
      {"provider_tls: [{domain: a, min_version: 1.1}]", "1:41: error: 1.1 is not one of 1.2, 1.3 [out-of-range]"},
      {"provider_tls: [{domain: a}, {domain: a}]", "1:38: error: a is here twice [duplicate-domain]"},
      {"provider_tls: [{domain: '[2001:db8::1]'}, {domain: '2001:db8:0::1'}]",
       "1:52: error: 2001:db8::1 is here twice [duplicate-domain]"},
      {"provider_tls: [{domain: 'a:80'}]", "1:25: error: \"a:80\" is neither a host nor *. and a domain [bad-type]"},
      {"exporters: {cloud: {exporter_id: c}}",
       "1:13: warning: `cloud` is read but exports nothing [exporter-unsupported]"},
      {"exporters: {file: {file_dir: /proc/none}}",
       "1:19: warning: /proc/none cannot be written: No such file or directory [file-unusable]"},
      {"exporters: {file: {file_dir: /tmp, max_files: 0}}",
       "1:47: error: 0 is not between 1 and 4294967295 [out-of-range]"},
      {"trace_exporter: {trace_exporter_id: a}", "1:17: error: `traces_endpoint` is required here [bad-type]"},
      {"trace_exporter: {trace_exporter_id: a, traces_endpoint: 'a b'}",
       "1:57: error: \"a b\" is neither a URL nor host:port [bad-url]"},
      {"trace_exporter: {trace_exporter_id: a, traces_endpoint: 'a:4317'}",
       "1:57: warning: port 4317 is that of gRPC; traces go over HTTP (4318) [bad-url]"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    CHECK(printed(read_gateway_config(text, root.path())) == "gateway_config.yaml:" + expected + "\n");
  }
}

TEST_CASE("gateway config: an address of IPv6 is a host with brackets and without") {
  const GatewayConfig config =
      read_gateway_config(
          "provider_tls: [{domain: '2001:db8::1', min_version: 1.3}, {domain: '[2001:db8::2]'}]\n"
          "mTLS: [{domain: '2001:DB8::2', cert: /none.pem}]",
          "/")
          .config;
  CHECK(config.tls_for("2001:db8::1")->min_version == LowestTls::tls13);
  CHECK(config.tls_for("2001:db8::2")->min_version == LowestTls::tls12);
  CHECK(config.certificate_for("2001:db8::2") != nullptr);
  CHECK(config.tls_for("2001:db8::3") == nullptr);
}

TEST_CASE("gateway config: an entry with a fault is there still, with the finding, and the others have none") {
  TemporaryDir root;
  root.write("c.pem", "x");
  auto loaded = read_gateway_config(
      "mTLS: [{domain: a}, {domain: b, cert: c.pem, ca: [x]}, {domain: good, cert: c.pem}]\n"
      "provider_tls: [{domain: c, tls_verify: maybe}, {domain: d, min_version: 1.1}, {domain: e, tls_verify: false},\n"
      "  {domain: e}, {domain: good, tls_verify: false, colour: red}, {min_version: 1.3}]",
      root.path());
  const GatewayConfig& config = loaded.config;
  const std::string file = "gateway_config.yaml:";
  CHECK(config.certificate_for("a")->fault == file + "1:8: error: `cert` is required here [bad-type]");
  CHECK(config.certificate_for("b")->fault == file + "1:50: error: expected a text, found a list [bad-type]");
  CHECK(config.tls_for("c")->fault == file + "2:40: error: expected true or false, found \"maybe\" [bad-type]");
  CHECK(config.tls_for("d")->fault == file + "2:73: error: 1.1 is not one of 1.2, 1.3 [out-of-range]");
  CHECK(config.tls_for("e")->fault == file + "3:12: error: e is here twice [duplicate-domain]");
  CHECK(config.certificate_for("good")->fault.empty());
  CHECK(config.tls_for("good")->fault.empty());
  CHECK(config.provider_tls.size() == 4);  // for which host the last one was, nobody knows
}

TEST_CASE("gateway config: an entry whose files cannot be read still names them") {
  TemporaryDir root;
  auto loaded = read_gateway_config(
      "mTLS: [{domain: a, cert: no.crt, ca: no-ca.pem}]\nprovider_tls: [{domain: b, ca: no.pem}]", root.path());
  CHECK(loaded.diagnostics.list().size() == 3);
  REQUIRE(loaded.config.certificate_for("a") != nullptr);
  CHECK(loaded.config.certificate_for("a")->cert == root.path() + "/no.crt");
  CHECK(loaded.config.certificate_for("a")->key == root.path() + "/no.key");
  CHECK(loaded.config.certificate_for("a")->ca == root.path() + "/no-ca.pem");
  REQUIRE(loaded.config.tls_for("b") != nullptr);
  CHECK(loaded.config.tls_for("b")->ca == root.path() + "/no.pem");
}

TEST_CASE("gateway config: the folder of the exporter may be relative to the root") {
  TemporaryDir root;
  root.write("har/old", "x");
  auto loaded = read_gateway_config("exporters: {file: {file_dir: har}}", root.path());
  CHECK(printed(loaded).empty());
  CHECK(loaded.config.file_exporter.dir == root.path() + "/har");
  CHECK(read_gateway_config("", root.path()).config.file_exporter.dir == "/var/log/lunar");
}

TEST_CASE("gateway config: exporters without effect are remembered by id") {
  auto loaded = read_gateway_config("exporters: {cloud: {exporter_id: c}, s3_minio: {bucket_name: b}}", "/");
  CHECK(loaded.config.unsupported_exporters == std::vector<std::string>{"c", "s3_minio"});
}
