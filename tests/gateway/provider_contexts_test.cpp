#include "agent/gateway/provider_contexts.h"

#include <doctest/doctest.h>

#include "tests/config/temporary_dir.h"
#include "tests/net/certificates.h"

using namespace lunar;
using namespace lunar::gateway;
using namespace lunar::test;

namespace {

// Why connections to a host are not opened; empty: they are.
std::string fault_of(ProviderContexts& contexts, std::string_view host) {
  const auto context = contexts.for_host(host);
  return context ? "" : context.error().text;
}

struct Files {
  Files() {
    const Issued issued = issue({.common_name = "ca.example.com", .alternative_names = "", .authority = true}, nullptr);
    directory.write("good.pem", issued.certificate_pem() + issued.key_pem());
    directory.write("broken.pem", "no PEM");
  }
  [[nodiscard]] ProviderContexts contexts(std::string_view entries) const {
    return {read_gateway_config(entries, directory.path()).config, 16};
  }
  [[nodiscard]] std::string path(std::string_view name) const { return directory.path() + "/" + std::string(name); }

  TemporaryDir directory;
};

}  // namespace

TEST_CASE("provider contexts: a file that cannot be used is an error for the hosts that it is for alone") {
  Files files;
  ProviderContexts contexts = files.contexts(
      "provider_tls:\n- {domain: good.example.com, ca: good.pem}\n- {domain: absent.example.com, ca: absent.pem}\n"
      "- {domain: \"*.broken.example.com\", ca: broken.pem}\n- {domain: a.broken.example.com, ca: good.pem}\n"
      "- {domain: \"2001:db8::1\", ca: absent.pem, tls_verify: false}\n"
      "mTLS:\n- {domain: mutual.example.com, cert: good.pem, ca: good.pem}\n"
      "- {domain: mute.example.com, cert: absent.pem, ca: good.pem}\n"
      "- {domain: keyless.example.com, cert: absent.crt, ca: good.pem}\n"
      "- {domain: distrusted.example.com, cert: good.pem, ca: absent.pem}\n");
  const std::string absent = files.path("absent.pem") + ": cannot be opened: No such file or directory";
  for (const char* host : {"absent.example.com", "mute.example.com", "distrusted.example.com", "2001:db8::1"}) {
    CAPTURE(host);
    CHECK(fault_of(contexts, host).starts_with(absent));
  }
  CHECK(fault_of(contexts, "keyless.example.com").starts_with(files.path("absent.crt") + ": cannot be opened"));
  CHECK(fault_of(contexts, "b.broken.example.com").starts_with(files.path("broken.pem") + ": holds no certificate"));
  for (const char* host : {"good.example.com", "a.broken.example.com", "mutual.example.com"}) {
    CAPTURE(host);
    CHECK(fault_of(contexts, host).empty());
  }
}

TEST_CASE("provider contexts: an entry with a fault is an error for its hosts alone, and says which") {
  Files files;
  ProviderContexts contexts = files.contexts(
      "provider_tls: [{domain: \"*.example.com\", ca: good.pem},\n"
      "  {domain: old.example.com, ca: good.pem, min_version: 1}, {domain: x.example.com, ca: good.pem}]\n"
      "mTLS: [{domain: mutual.example.com}, {domain: x.example.com, cert: [good.pem]}]\n");
  CHECK(fault_of(contexts, "old.example.com") ==
        "gateway_config.yaml:2:56: error: 1 is not one of 1.2, 1.3 [out-of-range]");
  CHECK(fault_of(contexts, "mutual.example.com") ==
        "gateway_config.yaml:3:8: error: `cert` is required here [bad-type]");
  CHECK(fault_of(contexts, "x.example.com") ==
        "gateway_config.yaml:3:68: error: expected a text, found a list [bad-type]");
  CHECK(fault_of(contexts, "other.example.com").empty());
}
