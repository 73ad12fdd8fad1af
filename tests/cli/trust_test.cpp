// `lunarctl ca install` and `ca uninstall` with the real programs, on a system below a folder.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/cli/certificates.h"

using namespace lunar::cli::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string read_host(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

constexpr const char* host_bundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr const char* host_keystore = "/etc/ssl/certs/java/cacerts";

// Has two roots of its own, and update-ca-certificates has run.
struct Machine : Folder {
  Machine() {
    for (const std::string name : {"first", "other"}) {
      make_root(*this, name);
      file("root/usr/share/ca-certificates/" + name + ".crt", read(name + ".crt"));
    }
    file("root/etc/ca-certificates.conf", "first.crt\nother.crt\n");
    fs::create_directories(path / "root/etc/ssl/certs");
    fs::create_directories(path / "root/usr/local/share/ca-certificates");
    update();
    REQUIRE(run({"ca", "init", "--dir", ca()}).code == 0);
  }
  [[nodiscard]] std::string root() const { return path / "root"; }
  [[nodiscard]] std::string ca() const { return path / "ca"; }
  [[nodiscard]] std::string cert() const { return ca() + "/cert.pem"; }
  [[nodiscard]] std::string name() const { return installed_name(cert()); }
  [[nodiscard]] std::string bundle() const { return read("root/etc/ssl/certs/ca-certificates.crt"); }

  void update() const {
    shell("update-ca-certificates --certsconf " + root() + "/etc/ca-certificates.conf --certsdir " + root() +
          "/usr/share/ca-certificates --localcertsdir " + root() + "/usr/local/share/ca-certificates --etccertsdir " +
          root() + "/etc/ssl/certs --hooksdir " + root() + "/etc/ca-certificates/update.d");
  }
  [[nodiscard]] Outcome ca_words(std::vector<std::string> words) const {
    words.insert(words.begin(), "ca");
    words.insert(words.end(), {"--root", root()});
    return run(std::move(words));
  }
  [[nodiscard]] Outcome install(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"install", "--dir", ca()});
    return ca_words(std::move(more));
  }
  [[nodiscard]] Outcome uninstall(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), "uninstall");
    return ca_words(std::move(more));
  }
  // Every file, link and folder below the root, with what is in it.
  [[nodiscard]] std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      const std::string relative = fs::relative(entry.path().parent_path(), root()) / entry.path().filename();
      out[relative] = entry.is_symlink()        ? "-> " + fs::read_symlink(entry.path()).string()
                      : entry.is_regular_file() ? read("root/" + relative)
                                                : "";
    }
    return out;
  }
  // Lines that begin so.
  static size_t count(const std::string& out, const std::string& effect) {
    size_t lines = 0;
    for (size_t at = 0; at < out.size(); at = out.find('\n', at) + 1)
      lines += out.compare(at, effect.size(), effect) == 0;
    return lines;
  }
};

struct JavaMachine : Machine {
  JavaMachine() {
    fs::create_directories(path / "root/etc/ssl/certs/java");
    fs::create_directories(path / "root/usr/lib/jvm/a/lib/security");
    fs::create_directories(path / "root/usr/lib/jvm/old/jre/lib/security");
    fs::copy_file(host_keystore, path / keystore);
    fs::create_symlink(host_keystore, path / "root/usr/lib/jvm/a/lib/security/cacerts");
    shell("keytool -importkeystore -noprompt -srckeystore " + std::string(host_keystore) +
          " -srcstorepass changeit -destkeystore " + (path / pkcs12).string() +
          " -deststoretype PKCS12 -deststorepass changeit");
  }
  // Aliases with fingerprints, sorted.
  [[nodiscard]] std::string entries(const char* file) const {
    return shell("keytool -list -keystore " + (path / file).string() +
                 " -storepass changeit | sed -n 's/^\\([^,]*\\),.*trustedCertEntry.*/\\1/p; s/.*SHA-256): //p' | sort");
  }
  static constexpr const char* keystore = "root/etc/ssl/certs/java/cacerts";
  static constexpr const char* pkcs12 = "root/usr/lib/jvm/old/jre/lib/security/cacerts";
};

}  // namespace

TEST_CASE("ca install: into the system's store, where openssl finds it, and uninstall leaves what was before") {
  Machine machine;
  make_leaf(machine, machine.ca());
  machine.file("root/etc/ca-certificates/update.d/hook", "#!/bin/sh\ncat >> " + machine.root() + "/hooked\n");
  fs::permissions(machine.path / "root/etc/ca-certificates/update.d/hook", fs::perms::owner_exec,
                  fs::perm_options::add);
  const auto before = machine.content();
  const std::string host = read_host(host_bundle);

  const Outcome dry = machine.install({"--dry-run"});
  CHECK(dry.code == 0);
  CHECK(contains(dry.out, "would be added"));
  CHECK(machine.content() == before);

  const Outcome installed = machine.install();
  CHECK(installed.code == 0);
  const std::string file = machine.root() + "/usr/local/share/ca-certificates/" + machine.name() + ".crt";
  CHECK(contains(installed.out, file));
  CHECK(machine.bundle() == machine.read("first.crt") + machine.read("other.crt") + machine.read("ca/cert.pem"));
  CHECK(contains(machine.read("root/hooked"), "+" + machine.root() + "/etc/ssl/certs/" + machine.name() + ".pem"));
  const std::string leaf = machine.path / "leaf.crt";
  CHECK(contains(shell("openssl verify -no-CAfile -no-CAstore -CApath " + machine.root() + "/etc/ssl/certs " + leaf),
                 "OK"));
  const auto after = machine.content();
  const Outcome again = machine.install();
  CHECK(again.code == 0);
  CHECK(Machine::count(again.out, "unchanged") == 1);
  CHECK(Machine::count(again.out, "added") == 0);
  CHECK(machine.content() == after);

  CHECK(contains(machine.uninstall({"--dry-run"}).out, "would be removed"));
  CHECK(machine.content() == after);
  const Outcome removed = machine.uninstall();
  CHECK(removed.code == 0);
  CHECK(Machine::count(removed.out, "removed") == 1);
  fs::remove(machine.path / "root/hooked");
  CHECK(machine.content() == before);
  const Outcome nothing = machine.uninstall();
  CHECK(nothing.code == 0);
  CHECK(Machine::count(nothing.out, "removed") == 0);
  CHECK(Machine::count(nothing.out, "unchanged") == 1);
  CHECK(read_host(host_bundle) == host);
}

TEST_CASE("ca install: every root of a rotated authority, and uninstall also finds those whose authority is gone") {
  const Machine machine;
  const std::string before = machine.bundle();
  REQUIRE(machine.install().code == 0);
  REQUIRE(run({"ca", "rotate", "--dir", machine.ca()}).code == 0);
  const Outcome installed = machine.install();
  CHECK(Machine::count(installed.out, "added") == 1);
  CHECK(Machine::count(installed.out, "unchanged") == 1);
  fs::remove_all(machine.ca());
  CHECK(Machine::count(machine.uninstall().out, "removed") == 2);
  CHECK(machine.bundle() == before);
}

TEST_CASE("ca uninstall: with a folder it takes the roots of that authority alone") {
  const Machine machine;
  REQUIRE(machine.install().code == 0);
  const std::string second = machine.path / "second";
  REQUIRE(run({"ca", "init", "--dir", second}).code == 0);
  REQUIRE(machine.ca_words({"install", "--dir", second}).code == 0);
  const Outcome removed = machine.uninstall({"--dir", second});
  CHECK(Machine::count(removed.out, "removed") == 1);
  CHECK(contains(machine.bundle(), machine.read("ca/cert.pem")));
  CHECK_FALSE(contains(machine.bundle(), machine.read("second/cert.pem")));
}

TEST_CASE("ca install: a root that somebody else installed is theirs, and a file that only has our name is nobody's") {
  Machine machine;
  machine.file("root/usr/local/share/ca-certificates/company.crt", machine.read("ca/cert.pem"));
  machine.file("root/usr/local/share/ca-certificates/lunar-0123456789abcdef.crt", machine.read("other.crt"));
  machine.update();
  const auto before = machine.content();
  const Outcome installed = machine.install();
  CHECK(installed.code == 0);
  CHECK(contains(installed.out, "and not from here"));
  CHECK(machine.content() == before);
  CHECK(Machine::count(machine.uninstall().out, "removed") == 0);
  CHECK(machine.content() == before);
}

TEST_CASE("ca install: a store that does not take it stays as it was, and the exit code is 1") {
  Machine machine;
  fs::rename(machine.path / "root/etc/ssl/certs", machine.path / "root/etc/ssl/gone");
  const auto before = machine.content();
  const Outcome failed = machine.install();
  CHECK(failed.code == 1);
  CHECK(contains(failed.out, "update-ca-certificates failed"));
  CHECK(machine.content() == before);
  fs::rename(machine.path / "root/etc/ssl/gone", machine.path / "root/etc/ssl/certs");
  const std::string taken = "root/usr/local/share/ca-certificates/" + machine.name() + ".crt";
  machine.file(taken, machine.read("other.crt"));
  const Outcome other = machine.install();
  CHECK(other.code == 1);
  CHECK(contains(other.out, "move it away"));
  CHECK(machine.read(taken) == machine.read("other.crt"));
}

TEST_CASE("ca uninstall: what update-ca-certificates cannot undo comes back") {
  const Machine machine;
  REQUIRE(machine.install().code == 0);
  fs::rename(machine.path / "root/etc/ssl/certs", machine.path / "root/etc/ssl/gone");
  const auto before = machine.content();
  CHECK(machine.uninstall().code == 1);
  CHECK(machine.content() == before);
}

TEST_CASE("ca install: into every list of Java once, whatever its format, and uninstall leaves every other entry") {
  const JavaMachine machine;
  const std::string before = machine.entries(JavaMachine::keystore);
  const std::string before_pkcs12 = machine.entries(JavaMachine::pkcs12);
  const std::string host = read_host(host_keystore);
  const json steps = json::parse(machine.install({"--json"}).out).at("steps");
  CHECK(std::ranges::count_if(steps, [&](const json& step) { return step.at("text") == machine.name(); }) == 2);
  const std::string ours = shell("printf '%s\\n%s\\n' '" + machine.name() + "' '" + fingerprint(machine.cert()) + "'");
  for (const auto& [file, old] :
       {std::pair(JavaMachine::keystore, before), std::pair(JavaMachine::pkcs12, before_pkcs12)}) {
    CAPTURE(file);
    CHECK(machine.entries(file) == shell("printf '%s' '" + old + ours + "' | sort"));
  }
  CHECK(fs::is_symlink(machine.path / "root/usr/lib/jvm/a/lib/security/cacerts"));
  const std::string bytes = machine.read(JavaMachine::keystore);
  CHECK(Machine::count(machine.install().out, "unchanged") == 3);
  CHECK(machine.read(JavaMachine::keystore) == bytes);

  CHECK(Machine::count(machine.uninstall().out, "removed") == 3);
  CHECK(machine.entries(JavaMachine::keystore) == before);
  CHECK(machine.entries(JavaMachine::pkcs12) == before_pkcs12);
  CHECK(read_host(host_keystore) == host);
}

TEST_CASE("ca install: what a hook has fed to Java is not done twice, and uninstall takes it away too") {
  const JavaMachine machine;
  const std::string before = machine.entries(JavaMachine::keystore);
  shell("keytool -importcert -noprompt -alias debian:" + machine.name() + ".pem -file " + machine.cert() +
        " -keystore " + (machine.path / JavaMachine::keystore).string() + " -storepass changeit");
  CHECK(contains(machine.install().out, "has it already: debian:" + machine.name() + ".pem"));
  CHECK(contains(machine.uninstall().out, "debian:" + machine.name() + ".pem"));
  CHECK(machine.entries(JavaMachine::keystore) == before);
}

TEST_CASE("ca install: a list of Java with another password is told and left alone") {
  JavaMachine machine;
  fs::remove_all(machine.path / "root/usr/lib/jvm/old");
  shell("keytool -storepasswd -keystore " + (machine.path / JavaMachine::keystore).string() +
        " -storepass changeit -new another");
  const std::string bytes = machine.read(JavaMachine::keystore);
  const Outcome failed = machine.install();
  CHECK(failed.code == 1);
  CHECK(contains(failed.out, "keytool failed"));
  CHECK(machine.read(JavaMachine::keystore) == bytes);
}

TEST_CASE("ca install: into NSS databases of the machine and of users, whose files stay theirs") {
  const Machine machine;
  const std::string system = machine.root() + "/etc/pki/nssdb";
  const std::string own = machine.root() + "/home/u/.pki/nssdb";
  const std::string profile = machine.root() + "/home/u/.mozilla/firefox/x.default";
  for (const std::string& folder : {system, own, profile}) {
    fs::create_directories(folder);
    shell("certutil -N --empty-password -d sql:" + folder);
    shell("certutil -A -a -n other -t C,, -d sql:" + folder + " -i " + (machine.path / "other.crt").string());
  }
  fs::permissions(machine.path, fs::perms::others_exec, fs::perm_options::add);
  shell("chown -R 65534:65534 " + machine.root() + "/home/u");
  const Outcome installed = machine.install({"--nss", "/home/u"});
  CHECK(installed.code == 0);
  CHECK(Machine::count(installed.out, "added") == 4);
  for (const std::string& folder : {system, own, profile}) {
    CAPTURE(folder);
    const std::string list = shell("certutil -L -d sql:" + folder);
    CHECK(contains(list, machine.name()));
    CHECK(contains(list, "C,,"));
    const std::string pem = machine.path / "seen.pem";
    shell("certutil -L -a -n " + machine.name() + " -d sql:" + folder + " > " + pem);
    CHECK(fingerprint(pem) == fingerprint(machine.cert()));
  }
  struct stat status{};
  REQUIRE(::stat((own + "/cert9.db").c_str(), &status) == 0);
  CHECK(status.st_uid == 65534);
  CHECK(Machine::count(machine.install({"--nss", "/home/u"}).out, "unchanged") == 4);

  CHECK(Machine::count(machine.uninstall({"--nss", "/home/u"}).out, "removed") == 4);
  for (const std::string& folder : {system, own, profile}) {
    CAPTURE(folder);
    const std::string list = shell("certutil -L -d sql:" + folder);
    CHECK_FALSE(contains(list, "lunar-"));
    CHECK(contains(list, "other"));
  }
}

TEST_CASE("ca install: an NSS entry that somebody distrusts stays distrusted") {
  const Machine machine;
  const std::string folder = machine.root() + "/etc/pki/nssdb";
  fs::create_directories(folder);
  shell("certutil -N --empty-password -d sql:" + folder);
  shell("certutil -A -a -n mine -t p,, -d sql:" + folder + " -i " + machine.cert());
  const Outcome outcome = machine.install();
  CHECK(contains(outcome.out, "certutil -M -n 'mine'"));
  CHECK(contains(shell("certutil -L -d sql:" + folder), "p,,"));
}

TEST_CASE("ca install: says which stores it skipped, and why") {
  Machine machine;
  const std::string none = machine.path / "bin";
  fs::create_directories(none);
  for (const char* program : {"sh", "update-ca-certificates", "openssl", "sed", "find", "ln", "mktemp", "readlink",
                              "basename", "wc", "chmod", "mv", "rm", "sort", "cat", "run-parts"})
    fs::create_symlink(shell("command -v " + std::string(program) + " | tr -d '\\n'"), none + "/" + program);
  fs::create_directories(machine.path / "root/etc/pki/nssdb");
  machine.file("root/etc/pki/nssdb/cert9.db", "");
  {
    const Variable path("PATH", none);
    const Outcome outcome = machine.install({"--nss", "/home/nobody"});
    CHECK(outcome.code == 1);
    CHECK(Machine::count(outcome.out, "added") == 1);
    CHECK(contains(outcome.out, "Java: no JDK has a list of roots here"));
    CHECK(contains(outcome.out, "certutil is not installed: apt install libnss3-tools"));
    CHECK(contains(outcome.out, "/home/nobody: there is no NSS database"));
  }
  CHECK(run({"ca", "install", "--dir", machine.ca(), "--root", machine.path / "elsewhere"}).code == 1);
}
