#include "agent/net/authority_files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "tests/config/temporary_dir.h"
#include "tests/net/der_builder.h"
#include "tests/net/leaf_verdict.h"
#include "tests/net/operator_ca.h"

using namespace lunar;
using namespace lunar::test;

namespace {

namespace fs = std::filesystem;

LocalAuthority fresh_root() {
  auto out = LocalAuthority::create({.hostname = "shop-1"}, noon);
  REQUIRE(out);
  return std::move(*out);
}

LocalAuthority after(const LocalAuthority& old) {
  auto out = old.rotate({.hostname = "shop-1"}, noon);
  REQUIRE(out);
  return std::move(*out);
}

std::string text_of_file(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::string fingerprint_in(const std::string& folder) {
  const auto read = read_authority(folder, noon);
  REQUIRE_MESSAGE(read, read.error().text);
  const auto leaf = read->mint(
      {.public_key = p256_public_key(), .names = {.dns = {"a.example.com"}, .common_name = "a.example.com"}}, noon);
  REQUIRE(leaf);
  CHECK(verdict(*leaf, read->trust_bundle(noon), "a.example.com", noon) == X509_V_OK);
  return read->describe().fingerprint;
}

void write(const std::string& folder, const LocalAuthority& authority) {
  const auto written = write_authority(folder, authority);
  REQUIRE_MESSAGE(written, written.error().text);
}

std::string error_in(const std::string& folder) {
  const auto read = read_authority(folder, noon);
  REQUIRE_FALSE(read);
  return read.error().text;
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("authority's folder: what is written is read again, and only the key is secret") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const LocalAuthority one = fresh_root();
  write(folder, one);
  CHECK(fingerprint_in(folder) == one.describe().fingerprint);
  CHECK(mode_of(folder + "/key.pem") == 0600);
  CHECK(mode_of(folder + "/cert.pem") == 0644);
  CHECK(mode_of(folder + "/previous.pem") == 0644);
  CHECK(text_of_file(folder + "/key.pem") == one.key_pem()->view());
  CHECK(text_of_file(folder + "/cert.pem") == one.certificates_pem());
  CHECK(text_of_file(folder + "/previous.pem").empty());
}

TEST_CASE("authority's folder: an authority that is not there is told from one that cannot be read") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const auto none = read_authority(folder, noon);
  REQUIRE_FALSE(none);
  CHECK(none.error().os_error == ENOENT);
  CHECK(mentions(none.error().text, "lunarctl ca init"));
  write(folder, fresh_root());
  fs::remove(folder + "/previous.pem");
  CHECK(read_authority(folder, noon));
  fs::remove(folder + "/key.pem");
  CHECK(read_authority(folder, noon).error().os_error != ENOENT);
  CHECK(mentions(error_in(folder), "key.pem is missing: restore it"));
}

TEST_CASE("authority's folder: a key that others may read is refused with the way out") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  write(folder, fresh_root());
  for (const mode_t mode : {0640, 0604, 0660, 0610, 0602}) {
    REQUIRE(chmod((folder + "/key.pem").c_str(), mode) == 0);
    CHECK(mentions(error_in(folder), "chmod 600 " + folder + "/key.pem"));
    CHECK_FALSE(write_authority(folder, fresh_root()));
  }
  REQUIRE(chmod((folder + "/key.pem").c_str(), 0400) == 0);
  CHECK(read_authority(folder, noon));
}

TEST_CASE("authority's folder: files that are none, too large or another authority's are refused with their place") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  write(folder, fresh_root());
  const std::string certificate = text_of_file(folder + "/cert.pem");
  std::ofstream(folder + "/cert.pem") << fresh_root().certificates_pem();
  CHECK(mentions(error_in(folder), folder + ": the key does not belong to"));
  std::ofstream(folder + "/cert.pem") << "";
  CHECK(mentions(error_in(folder), folder + ": there is no certificate in PEM"));
  std::ofstream(folder + "/cert.pem") << std::string(2 << 20, 'x');
  CHECK(mentions(error_in(folder), "cert.pem is too large"));
  std::ofstream(folder + "/cert.pem") << certificate;
  std::ofstream(folder + "/key.pem") << std::string(100'000, 'x');
  CHECK(mentions(error_in(folder), "key.pem is too large"));
  fs::remove(folder + "/key.pem");
  REQUIRE(mkfifo((folder + "/key.pem").c_str(), 0600) == 0);
  CHECK(mentions(error_in(folder), "key.pem is no file"));
}

TEST_CASE("authority's folder: a rotation leaves the new key alone and the old certificate") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const LocalAuthority old = fresh_root();
  write(folder, old);
  const LocalAuthority fresh = after(old);
  write(folder, fresh);
  CHECK(fingerprint_in(folder) == fresh.describe().fingerprint);
  CHECK(text_of_file(folder + "/key.pem") == fresh.key_pem()->view());
  CHECK(text_of_file(folder + "/previous.pem") == old.certificates_pem());
  CHECK(read_authority(folder, noon)->root_pems(noon).size() == 2);
}

TEST_CASE("authority's folder: a write that fails at any file leaves the old authority in force") {
  for (const char* blocked : {"/previous.pem.new", "/key.pem.new", "/cert.pem.new"}) {
    CAPTURE(blocked);
    const TemporaryDir state;
    const std::string folder = state.path() + "/ca";
    const LocalAuthority old = fresh_root();
    write(folder, old);
    fs::create_directories(folder + blocked + "/in/the/way");
    for (int attempt = 0; attempt < 3; ++attempt) {
      CHECK_FALSE(write_authority(folder, after(old)));
      CHECK(fingerprint_in(folder) == old.describe().fingerprint);
      CHECK(read_authority(folder, noon)->trust_bundle(noon) == old.trust_bundle(noon));
      CHECK(mode_of(folder + "/key.pem") == 0600);
      // Keys of attempts that failed do not pile up.
      CHECK(fs::file_size(folder + "/key.pem") <= 2 * old.key_pem()->view().size());
    }
    fs::remove_all(folder + blocked);
    const LocalAuthority fresh = after(old);
    write(folder, fresh);
    CHECK(fingerprint_in(folder) == fresh.describe().fingerprint);
    CHECK(text_of_file(folder + "/key.pem") == fresh.key_pem()->view());
  }
}

TEST_CASE("authority's folder: between any two steps of a rotation there is one whole authority") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const LocalAuthority old = fresh_root();
  const LocalAuthority fresh = after(old);
  write(folder, old);
  const auto put = [&](const char* name, const std::string& text) { std::ofstream(folder + name) << text; };
  put("/previous.pem", fresh.previous_pem());
  CHECK(fingerprint_in(folder) == old.describe().fingerprint);
  put("/key.pem", std::string(fresh.key_pem()->view()) + std::string(old.key_pem()->view()));
  CHECK(fingerprint_in(folder) == old.describe().fingerprint);
  put("/cert.pem", fresh.certificates_pem());
  CHECK(fingerprint_in(folder) == fresh.describe().fingerprint);
  CHECK(read_authority(folder, noon)->trust_bundle(noon) == fresh.trust_bundle(noon));
}

TEST_CASE("authority's folder: an intermediate of the operator is kept with its chain") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const OperatorCertificate root = issue("Example Root", nullptr, KeyPtr(EVP_RSA_gen(2048)));
  const OperatorCertificate egress = issue("Example Egress", &root, p384());
  const LocalAuthority old = fresh_root();
  write(folder, old);
  auto imported = LocalAuthority::load(
      {.key = egress.key_pem(), .certificates = egress.pem() + root.pem(), .previous = old.certificates_pem()}, noon);
  REQUIRE_MESSAGE(imported, imported.error().text);
  write(folder, *imported);
  CHECK(fingerprint_in(folder) == fingerprint_of(*egress.certificate));
  CHECK(read_authority(folder, noon)->trust_bundle(noon) == root.pem() + old.certificates_pem());
}

TEST_CASE("authority's folder: its stamp changes with its certificates and its key, and only then") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  AuthorityStamp last = authority_stamp(folder);
  CHECK(last == AuthorityStamp{});
  const auto changed = [&] {
    const AuthorityStamp before = std::exchange(last, authority_stamp(folder));
    return before != last;
  };
  write(folder, fresh_root());
  CHECK(changed());
  CHECK(fingerprint_in(folder) != "");
  std::ofstream(folder + "/previous.pem") << "";
  CHECK_FALSE(changed());
  REQUIRE(chmod((folder + "/key.pem").c_str(), 0640) == 0);
  CHECK(changed());
  const auto written = fs::last_write_time(folder + "/key.pem");
  std::ofstream(folder + "/key.pem", std::ios::app) << "\n";
  fs::last_write_time(folder + "/key.pem", written);
  CHECK(changed());
  REQUIRE(chmod((folder + "/key.pem").c_str(), 0600) == 0);
  CHECK(changed());
  write(folder, fresh_root());
  CHECK(changed());
  fs::remove(folder + "/cert.pem");
  CHECK(changed());
  CHECK_FALSE(changed());
}

TEST_CASE("authority's folder: who reads it while it is replaced gets the old authority or the new one") {
  const TemporaryDir state;
  const std::string folder = state.path() + "/ca";
  const LocalAuthority first = fresh_root();
  write(folder, first);
  struct Texts {
    std::string key, certificate;
  };
  std::vector<Texts> successors;
  for (int i = 0; i < 1000; ++i) {
    const LocalAuthority one = fresh_root();
    successors.push_back({std::string(one.key_pem()->view()), one.certificates_pem()});
  }
  std::atomic<bool> done = false;
  // The steps of write_authority() without the disk, which is so slow that no race would be seen.
  std::thread writer([&] {
    const auto put = [&](const std::string& path, const std::string& text) {
      std::ofstream(path + ".fresh") << text;
      chmod((path + ".fresh").c_str(), 0600);
      rename((path + ".fresh").c_str(), path.c_str());
    };
    std::string before(first.key_pem()->view());
    for (const auto& [key, certificate] : successors) {
      put(folder + "/key.pem", key + before);
      put(folder + "/cert.pem", certificate);
      put(folder + "/key.pem", key);
      before = key;
    }
    done = true;
  });
  std::set<std::string> seen;
  std::string wrong;
  while (!done && wrong.empty()) {
    const auto read = read_authority(folder, noon);
    if (!read) wrong = read.error().text;
    if (read) seen.insert(read->describe().fingerprint);
  }
  writer.join();
  CHECK(wrong == "");
  CHECK(seen.size() > 1);
}
