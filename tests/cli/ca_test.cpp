// The words of `lunarctl ca` that make and show the authority.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/net/authority_files.h"
#include "tests/cli/certificates.h"

using namespace lunar::cli::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Place : Folder {
  [[nodiscard]] std::string ca() const { return path / "ca"; }
  [[nodiscard]] Outcome run_ca(std::vector<std::string> words) const {
    words.insert(words.begin(), "ca");
    words.insert(words.end(), {"--dir", ca()});
    return run(std::move(words));
  }
  [[nodiscard]] json shown() const { return json::parse(run_ca({"show", "--json"}).out); }
  // Everything in the authority's folder.
  [[nodiscard]] std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(ca()))
      out[entry.path().filename()] = read("ca/" + entry.path().filename().string());
    return out;
  }
};

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

size_t certificates_in(const std::string& pem) {
  size_t count = 0;
  for (size_t at = pem.find("BEGIN CERT"); at != std::string::npos; at = pem.find("BEGIN CERT", at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("ca init: makes a root that openssl takes, its key for the owner alone, and says what comes next") {
  const Place place;
  const Outcome made =
      place.run_ca({"init", "--permit", "example.com", "--permit", "198.18.0.0/15", "--lifetime", "90d"});
  CHECK(made.code == 0);
  CHECK(contains(made.out, "example.com, 198.18.0.0/15"));
  CHECK(contains(made.out, "lunarctl ca install"));
  CHECK(mode_of(place.ca() + "/key.pem") == 0600);
  CHECK(mode_of(place.ca()) == 0755);
  const std::string text = shell("openssl x509 -noout -text -in " + place.ca() + "/cert.pem");
  CHECK(contains(text, "CA:TRUE, pathlen:0"));
  CHECK(contains(text, "DNS:example.com"));
  CHECK(shell("openssl verify -CAfile " + place.ca() + "/cert.pem " + place.ca() + "/cert.pem").ends_with(": OK\n"));
  shell("openssl x509 -noout -checkend " + std::to_string(89 * 86400) + " -in " + place.ca() + "/cert.pem");
  const std::string over =
      shell("openssl x509 -noout -checkend " + std::to_string(91 * 86400) + " -in " + place.ca() + "/cert.pem || true");
  CHECK(contains(over, "will expire"));
}

TEST_CASE("ca init: a second one is refused and changes nothing") {
  const Place place;
  REQUIRE(place.run_ca({"init"}).code == 0);
  const auto before = place.content();
  const Outcome again = place.run_ca({"init"});
  CHECK(again.code == 1);
  CHECK(again.out.empty());
  CHECK(contains(again.err, "lunarctl ca rotate"));
  CHECK(place.content() == before);
}

TEST_CASE("ca init: wrong arguments are 2, and make nothing") {
  const Place place;
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"--lifetime", "10"},
                                             {"--lifetime", "0d"},
                                             {"--lifetime", "31y"},
                                             {"--lifetime", "10m"},
                                             {"--permit", "*.example.com"},
                                             {"--permit", "Example.com"},
                                             {"--permit", "198.18.0.0/33"},
                                             {"--import", "x"},
                                             {"--key", "x"},
                                             {"--import", "x", "--key", "x", "--permit", "a.com"}}) {
    const std::string line = json(words).dump();
    CAPTURE(line);
    std::vector<std::string> all{"init"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = place.run_ca(all);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("lunarctl: "));
    CHECK_FALSE(fs::exists(place.ca()));
  }
  CHECK(contains(run({"ca"}).err, "`ca init`"));
}

TEST_CASE("ca init: takes an intermediate of the operator's own CA with what is above it, and nothing less") {
  Place place;
  make_root(place, "own");
  const std::string base = place.path;
  place.file("ca.ext", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n");
  shell("cd " + base +
        " && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=middle -keyout "
        "middle.key -out middle.csr && openssl x509 -req -in middle.csr -CA own.crt -CAkey own.key -days 20 -extfile "
        "ca.ext -out middle.crt && cat middle.crt own.crt > chain.pem");
  const Outcome alone = place.run_ca({"init", "--import", base + "/middle.crt", "--key", base + "/middle.key"});
  CHECK(alone.code == 1);
  CHECK(contains(alone.err, "append the certificates above it"));
  const Outcome other = place.run_ca({"init", "--import", base + "/chain.pem", "--key", base + "/own.key"});
  CHECK(other.code == 1);
  CHECK(contains(other.err, "the key does not belong"));
  CHECK_FALSE(fs::exists(place.ca()));

  CHECK(place.run_ca({"init", "--import", base + "/chain.pem", "--key", base + "/middle.key"}).code == 0);
  CHECK(place.shown().at("issuer") == "CN=own");
  CHECK(place.shown().at("roots") == json{fingerprint(base + "/own.crt")});
  make_leaf(place, place.ca());
  CHECK(contains(
      shell("openssl verify -CAfile " + base + "/own.crt -untrusted " + base + "/middle.crt " + base + "/leaf.crt"),
      "OK"));
  const Outcome rotated = place.run_ca({"rotate"});
  CHECK(rotated.code == 1);
  CHECK(contains(rotated.err, "--import CERT --key KEY"));
  CHECK(place.run_ca({"rotate", "--import", base + "/own.crt", "--key", base + "/own.key"}).code == 0);
  CHECK(place.shown().at("subject") == "CN=own");
}

TEST_CASE("ca: where there is no authority, or it cannot be read, the way out is told") {
  const Place place;
  for (const char* word : {"show", "bundle", "install", "env", "rotate"}) {
    CAPTURE(word);
    const Outcome outcome = place.run_ca({word});
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK(contains(outcome.err, "lunarctl ca init"));
  }
  REQUIRE(place.run_ca({"init"}).code == 0);
  fs::permissions(place.ca() + "/key.pem", fs::perms::group_read, fs::perm_options::add);
  CHECK(contains(place.run_ca({"show"}).err, "chmod 600"));
  fs::permissions(place.ca() + "/key.pem", fs::perms::owner_read | fs::perms::owner_write);
  fs::remove(place.ca() + "/key.pem");
  CHECK(contains(place.run_ca({"show"}).err, "restore it"));
  const Outcome init = run({"ca", "init", "--dir", place.path / "none/ca"});
  CHECK(init.code == 1);
  CHECK(contains(init.err, "the folder above it is missing"));
}

TEST_CASE("ca show: subject, fingerprint, validity, constraints and folder") {
  const Place place;
  REQUIRE(place.run_ca({"init"}).code == 0);
  const Outcome shown = place.run_ca({"show"});
  CHECK(shown.code == 0);
  const std::string print = fingerprint(place.ca() + "/cert.pem");
  for (const std::string& part : {std::string("O=Lunar"), print, place.ca(), std::string("any")}) {
    CAPTURE(part);
    CHECK(contains(shown.out, part));
  }
  CHECK(place.shown().at("fingerprint") == print);
  CHECK(place.shown().at("permitted").empty());
}

TEST_CASE("ca: the folder is that of lunard.yaml where none is named; a faulty file is told") {
  Folder config;
  config.file("lunard.yaml", "state: {dir: " + config.path.string() + "}\n");
  const std::string dir = config.path;
  CHECK(run({"--config-dir", dir, "ca", "init"}).code == 0);
  CHECK(fs::exists(config.path / "ca/cert.pem"));
  config.file("lunard.yaml", "tls: {ca_dir: " + dir + "/other}\n");
  CHECK(contains(run({"--config-dir", dir, "ca", "show"}).err, dir + "/other"));
  config.file("lunard.yaml", "workers: many\n");
  const Outcome faulty = run({"--config-dir", dir, "ca", "show"});
  CHECK(faulty.code == 1);
  CHECK(contains(faulty.err, "lunard.yaml:1:"));
  CHECK(contains(faulty.err, "--dir"));
}

TEST_CASE("ca rotate: a new root, the old one still trusted, the old constraints kept") {
  Place place;
  REQUIRE(place.run_ca({"init", "--permit", "example.com", "--permit", "2001:db8::/32"}).code == 0);
  make_leaf(place, place.ca());
  const std::string old = fingerprint(place.ca() + "/cert.pem");
  const Outcome rotated = place.run_ca({"rotate"});
  CHECK(rotated.code == 0);
  CHECK(contains(rotated.out, "its own and 1 earlier one"));
  const json shown = place.shown();
  CHECK(shown.at("fingerprint") != old);
  CHECK(shown.at("roots").size() == 2);
  CHECK(shown.at("roots").at(1) == old);
  CHECK(shown.at("permitted").at(0) == "example.com");
  CHECK(shown.at("permitted").at(1) == "2001:db8::/32");
  const std::string bundle = place.path / "bundle.pem";
  CHECK(place.run_ca({"bundle", "-o", bundle}).code == 0);
  CHECK(contains(shell("openssl verify -CAfile " + bundle + " " + (place.path / "leaf.crt").string()), "OK"));
  CHECK(place.run_ca({"rotate", "--permit", "example.org"}).code == 0);
  CHECK(place.shown().at("permitted").at(0) == "example.org");
  CHECK(place.shown().at("roots").size() == 3);
}

TEST_CASE("ca rotate: also replaces an authority that expired, which nobody needs to trust any more") {
  const Place place;
  const lunar::WallTime now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto old = lunar::LocalAuthority::create({.lifetime = std::chrono::days(2)}, now - std::chrono::days(3));
  REQUIRE(old);
  REQUIRE(lunar::write_authority(place.ca(), *old));
  const Outcome shown = place.run_ca({"show"});
  CHECK(shown.code == 1);
  CHECK(contains(shown.err, "rotate"));
  CHECK(place.run_ca({"init"}).code == 1);
  CHECK(place.run_ca({"rotate"}).code == 0);
  CHECK(place.shown().at("roots").size() == 1);
  CHECK(place.shown().at("fingerprint") != old->describe().fingerprint);
}

TEST_CASE("ca bundle: ours, or the system's roots as they are and ours behind them, each once") {
  Place place;
  REQUIRE(place.run_ca({"init"}).code == 0);
  make_root(place, "other");
  const std::string root = place.path / "root";
  const std::string other = "# a comment\n" + place.read("other.crt");
  place.file("root/etc/ssl/certs/ca-certificates.crt", other);
  const std::string ours = place.run_ca({"bundle"}).out;
  CHECK(certificates_in(ours) == 1);
  CHECK(ours == place.read("ca/cert.pem"));
  const Outcome combined = place.run_ca({"bundle", "--combined", "--root", root});
  CHECK(combined.code == 0);
  CHECK(combined.out == other + ours);
  CHECK(json::parse(place.run_ca({"bundle", "--combined", "--root", root, "--json"}).out).at("bundle") == other + ours);
  place.file("root/etc/ssl/certs/ca-certificates.crt", other + ours);
  CHECK(place.run_ca({"bundle", "--combined", "--root", root}).out == other + ours);
}

TEST_CASE("ca bundle: never ours alone where the system's roots are wanted, and a file is replaced whole") {
  Place place;
  REQUIRE(place.run_ca({"init"}).code == 0);
  const std::string root = place.path / "root";
  place.file("root/empty", "").file("out.pem", "before");
  const std::string out = place.path / "out.pem";
  const Outcome none = place.run_ca({"bundle", "--combined", "--root", root, "-o", out});
  CHECK(none.code == 1);
  CHECK(contains(none.err, "apt install ca-certificates"));
  CHECK(place.read("out.pem") == "before");
  place.file("root/etc/ssl/certs/ca-certificates.crt", "no certificate\n");
  CHECK(place.run_ca({"bundle", "--combined", "--root", root, "-o", out}).code == 1);
  CHECK(place.read("out.pem") == "before");
  CHECK(place.run_ca({"bundle", "-o", out}).code == 0);
  CHECK(place.read("out.pem") == place.read("ca/cert.pem"));
  CHECK(mode_of(out) == 0644);
  CHECK(place.run_ca({"bundle", "-o", place.path / "none/out.pem"}).code == 1);
}

TEST_CASE("ca: what belongs to root is 4 for others") {
  if (::geteuid() != 0) {
    CHECK(run({"ca", "uninstall"}).code == 4);
    return;
  }
  const Place place;
  REQUIRE(place.run_ca({"init"}).code == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    fs::permissions(place.path, fs::perms::others_exec, fs::perm_options::add);
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(99);
    const bool refused =
        place.run_ca({"show"}).code == 4 && place.run_ca({"rotate"}).code == 4 && run({"ca", "uninstall"}).code == 4;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
