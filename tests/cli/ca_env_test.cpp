// `lunarctl ca env` below a root folder, and the units that it writes for.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cli/trust_dropin.h"
#include "tests/cli/certificates.h"

using namespace lunar::cli;
using namespace lunar::cli::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* dropin = "root/etc/systemd/system/shop.service.d/50-lunar-ca.conf";

struct Machine : Folder {
  Machine() {
    make_root(*this, "other");
    file("root/etc/ssl/certs/ca-certificates.crt", read("other.crt"));
    file("root/usr/lib/systemd/system/shop.service", "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n");
    REQUIRE(run({"ca", "init", "--dir", ca()}).code == 0);
    // mkdtemp makes folders for their owner alone, which the notes would be about.
    fs::permissions(path, fs::perms::others_exec, fs::perm_options::add);
  }
  [[nodiscard]] std::string ca() const { return path / "ca"; }
  [[nodiscard]] Outcome env(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ca", "env", "--dir", ca(), "--root", path / "root"});
    return run(std::move(words));
  }
};

std::string value_of(const UnitEnvironment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found == environment.variables.end() ? "(none)" : found->second.value;
}

}  // namespace

TEST_CASE("ca env: prints every variable for a bundle with the system's roots and ours; Node's has ours alone") {
  const Machine machine;
  const Outcome outcome = machine.env({});
  CHECK(outcome.code == 0);
  const std::string bundle = machine.ca() + "/bundle.pem";
  for (const char* name :
       {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "GIT_SSL_CAINFO", "PERL_LWP_SSL_CA_FILE", "DENO_CERT", "CARGO_HTTP_CAINFO", "PIP_CERT"}) {
    CAPTURE(name);
    CHECK(contains("\n" + outcome.out, "\n" + std::string(name) + "=" + bundle + "\n"));
  }
  CHECK(contains(outcome.out, "NODE_EXTRA_CA_CERTS=" + machine.ca() + "/roots.pem\n"));
  CHECK_FALSE(contains(outcome.out, "JAVA_TOOL_OPTIONS"));
  CHECK(contains(outcome.err, "JAVA_TOOL_OPTIONS is left out: no JDK"));
  CHECK(machine.read("ca/bundle.pem") == machine.read("other.crt") + machine.read("ca/cert.pem"));
  CHECK(machine.read("ca/roots.pem") == machine.read("ca/cert.pem"));
  CHECK(json::parse(machine.env({"--json"}).out).at("environment").at("SSL_CERT_FILE") == bundle);
}

TEST_CASE("ca env: says which folder keeps other users from the files") {
  const Machine machine;
  fs::permissions(machine.ca(), fs::perms::owner_all);
  CHECK(contains(machine.env({}).err, "chmod o+x " + machine.ca() + "\n"));
  fs::permissions(machine.ca(), fs::perms::others_exec, fs::perm_options::add);
  CHECK_FALSE(contains(machine.env({}).err, "chmod"));
}

TEST_CASE("ca env: without the system's roots nothing is written") {
  const Machine machine;
  fs::remove(machine.path / "root/etc/ssl/certs/ca-certificates.crt");
  CHECK(machine.env({}).code == 1);
  CHECK(machine.env({"--unit", "shop.service"}).code == 1);
  CHECK_FALSE(fs::exists(machine.path / "ca/bundle.pem"));
  CHECK_FALSE(fs::exists(machine.path / "root/etc/systemd"));
}

TEST_CASE("ca env --unit: writes the drop-in, twice the same, and --undo leaves nothing behind") {
  const Machine machine;
  const Outcome written = machine.env({"--unit", "shop"});
  CHECK(written.code == 0);
  CHECK(contains(written.out, "50-lunar-ca.conf is written"));
  CHECK(contains(written.out, "systemctl daemon-reload && systemctl restart shop.service"));
  const std::string text = machine.read(dropin);
  CHECK(contains(text, "\n[Service]\nEnvironment=\"SSL_CERT_FILE=" + machine.ca() + "/bundle.pem\"\n"));
  const Outcome again = machine.env({"--unit", "shop.service"});
  CHECK(contains(again.out, "is up to date"));
  CHECK_FALSE(contains(again.out, "daemon-reload"));
  CHECK(machine.read(dropin) == text);

  CHECK(contains(machine.env({"--unit", "shop.service", "--undo"}).out, "is removed"));
  CHECK_FALSE(fs::exists(machine.path / "root/etc/systemd/system/shop.service.d"));
  const Outcome nothing = machine.env({"--unit", "shop.service", "--undo"});
  CHECK(nothing.code == 0);
  CHECK(contains(nothing.out, "is not there"));
}

TEST_CASE("ca env --unit: --undo leaves what others have in the folder") {
  Machine machine;
  machine.file("root/etc/systemd/system/shop.service.d/90-own.conf", "[Service]\nNice=1\n");
  REQUIRE(machine.env({"--unit", "shop.service"}).code == 0);
  CHECK(machine.env({"--unit", "shop.service", "--undo"}).code == 0);
  CHECK(machine.read("root/etc/systemd/system/shop.service.d/90-own.conf") == "[Service]\nNice=1\n");
  CHECK_FALSE(fs::exists(machine.path / dropin));
}

TEST_CASE("ca env --unit: names that are no unit with an environment are 2, and one that is not there is 1") {
  const Machine machine;
  for (const char* name : {"../../x.service", "shop.timer", "shop.target", "a b.service", ".service"}) {
    CAPTURE(name);
    CHECK(machine.env({"--unit", name}).code == 2);
  }
  CHECK(machine.env({"--undo"}).code == 2);
  const Outcome missing = machine.env({"--unit", "shpo.service"});
  CHECK(missing.code == 1);
  CHECK(contains(missing.err, "systemctl list-units"));
  CHECK_FALSE(fs::exists(machine.path / "root/etc/systemd"));
}

TEST_CASE("ca env --unit: what the unit sets itself is respected and told, wherever it sets it") {
  Machine machine;
  machine.file("root/etc/systemd/system/shop.service.d/10-own.conf",
               "[Service]\nEnvironment=SSL_CERT_FILE=/etc/own.pem\n");
  machine.file("root/etc/systemd/system/service.d/all.conf", "[Service]\nEnvironment='PIP_CERT=/x' \"A=b c\"\n");
  machine.file("root/etc/systemd/system/shop.service.d/60-file.conf",
               "[Service]\nEnvironmentFile=-/etc/default/shop*\n");
  machine.file("root/etc/default/shop", "# CURL_CA_BUNDLE=/no\nAWS_CA_BUNDLE=/y\n");
  const Outcome outcome = machine.env({"--unit", "shop.service"});
  CHECK(outcome.code == 0);
  const std::string text = machine.read(dropin);
  CHECK_FALSE(contains(text, "SSL_CERT_FILE="));
  CHECK_FALSE(contains(text, "PIP_CERT="));
  CHECK(contains(text, "CURL_CA_BUNDLE="));
  CHECK(contains(outcome.err, "SSL_CERT_FILE is set by /etc/systemd/system/shop.service.d/10-own.conf and left"));
  CHECK(contains(outcome.err, "PIP_CERT is set by /etc/systemd/system/service.d/all.conf and left"));
  CHECK(contains(outcome.err, "AWS_CA_BUNDLE is set by /etc/default/shop, which wins"));
}

TEST_CASE("ca env --unit: what is read after the drop-in and takes it back is told") {
  Machine machine;
  machine.file("root/etc/systemd/system/shop.service.d/90-reset.conf", "[Service]\nEnvironment=\nEnvironment=A=b\n");
  const Outcome outcome = machine.env({"--unit", "shop.service"});
  CHECK(contains(outcome.err, "SSL_CERT_FILE is taken back by a drop-in that is read after ours"));
}

TEST_CASE("unit environment: quotes, escapes, continuations, comments, resets, and other sections") {
  const std::vector<UnitFile> files{
      {"a",
       "[Unit]\nEnvironment=NO=1\n[Service]\nEnvironment=A=1 \"B=2 3\" 'C=4 \"5\"' D=a\\\\b\\\n  # inside\n E=6\n"},
      {"b",
       "; c\n[Service]\n Environment = A=9 F\nEnvironmentFile=/x\nEnvironmentFile=\nEnvironmentFile=-/y\n[Install]\n"
       "Environment=G=1\n"}};
  const UnitEnvironment environment = environment_of(files, "Service");
  CHECK(value_of(environment, "A") == "9");
  CHECK(environment.variables.at("A").path == "b");
  CHECK(value_of(environment, "B") == "2 3");
  CHECK(value_of(environment, "C") == "4 \\\"5\\\"");
  CHECK(value_of(environment, "D") == "a\\\\b");
  CHECK(value_of(environment, "E") == "6");
  CHECK(value_of(environment, "F") == "(none)");
  CHECK(value_of(environment, "G") == "(none)");
  CHECK(value_of(environment, "NO") == "(none)");
  REQUIRE(environment.files.size() == 1);
  CHECK(environment.files[0].first == "-/y");
}

TEST_CASE("unit environment: a drop-in says the same when it is read back, whatever is in a value") {
  const std::string hard = "a \"b\" \\ 100%";
  const std::string text = dropin_text("x.socket", {{"A", escaped_value(hard)}});
  CHECK(contains(text, "[Socket]\n"));
  const std::vector<UnitFile> files{{"x", text}};
  CHECK(value_of(environment_of(files, "Socket"), "A") == "a \\\"b\\\" \\\\ 100%%");
}

TEST_CASE("unit environment: Java's options are added to, unless they name a trust store") {
  const Assignments wanted{{"JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.trustStore=/t"}};
  UnitEnvironment unit;
  CHECK(plan_dropin(unit, wanted).assignments[0].second == "-Djavax.net.ssl.trustStore=/t");
  unit.variables["JAVA_TOOL_OPTIONS"] = {"-Xmx1g -Da=%n", "/etc/u"};
  const DropinPlan added = plan_dropin(unit, wanted);
  CHECK(added.assignments[0].second == "-Xmx1g -Da=%n -Djavax.net.ssl.trustStore=/t");
  CHECK(added.notes[0] == "JAVA_TOOL_OPTIONS is set by /etc/u and added to");
  unit.variables["JAVA_TOOL_OPTIONS"] = {"-Djavax.net.ssl.trustStore=/own", "/etc/u"};
  const DropinPlan kept = plan_dropin(unit, wanted);
  CHECK(kept.assignments.empty());
  CHECK(contains(kept.notes[0], "left as it is"));
}
