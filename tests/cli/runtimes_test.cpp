// What `lunarctl doctor` finds out about real processes of the runtimes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/net/authority_files.h"
#include "cli/own_cgroup.h"
#include "cli/runtimes.h"
#include "tests/cli/certificates.h"

using namespace lunar::cli;
using namespace lunar::cli::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* python = "/usr/bin/python3";
constexpr const char* python_waits = "import ssl, sys; print('ready', flush=True); sys.stdin.read()";
constexpr const char* java_waits =
    "public class Wait { public static void main(String[] a) throws Exception {"
    " System.out.println(\"ready\"); System.in.read(); } }";

std::string text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whoever runs the tests may be a unit itself, and hints name units: this process and those that it starts are in none.
class OutsideUnits {
 public:
  OutsideUnits() {
    fs::create_directory(own_);
    enter(own_);
  }
  OutsideUnits(const OutsideUnits&) = delete;
  OutsideUnits& operator=(const OutsideUnits&) = delete;
  ~OutsideUnits() {
    enter(before_);
    std::error_code ignored;
    fs::remove(own_, ignored);
  }

 private:
  static void enter(const fs::path& cgroup) { std::ofstream(cgroup / "cgroup.procs") << ::getpid(); }

  const fs::path mount_ = cgroup2_mount(text_of_file("/proc/self/mountinfo"));
  const fs::path before_ = mount_.string() + cgroup2_path(text_of_file("/proc/self/cgroup"));
  const fs::path own_ = mount_ / ("lunar-doctor-" + std::to_string(::getpid()));
};

// An authority whose root no store of this machine has, and the files of `ca env`.
struct Place : Folder {
  Place() {
    static const OutsideUnits outside;
    REQUIRE(run({"ca", "init", "--dir", ca()}).code == 0);
    const lunar::WallTime now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto authority = lunar::read_authority(ca(), now);
    REQUIRE(authority);
    root = roots_of(*authority, now).value().front();
    bundle = path / "both.pem";
    ours = path / "ours.pem";
    REQUIRE(run({"ca", "bundle", "--dir", ca(), "--combined", "-o", bundle}).code == 0);
    REQUIRE(run({"ca", "bundle", "--dir", ca(), "-o", ours}).code == 0);
  }
  [[nodiscard]] std::string ca() const { return path / "ca"; }
  // The one check whose text is about this runtime.
  [[nodiscard]] Check about(const Running& process, const std::string& runtime) const {
    std::string all;
    for (const Check& check : check_trust_of(process.pid(), root)) {
      if (check.text.starts_with(runtime)) return check;
      all += check.name + ": " + check.text + "\n";
    }
    FAIL(runtime << " is not among\n" << all);
    return {};
  }

  Root root;
  std::string bundle;
  std::string ours;
};

// A program that reads its input from a pipe with a name: when it has opened that, its libraries are there.
struct Waiting {
  Waiting(const Folder& folder, std::vector<std::string> words, std::vector<std::string> environment)
      : pipe(folder.path / ("pipe" + words[0])) {
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    words.push_back(pipe);
    process.emplace(std::move(words), std::move(environment), "");
    end = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(end >= 0);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    process.reset();
    ::close(end);
    ::unlink(pipe.c_str());
  }
  std::string pipe;
  std::optional<Running> process;
  int end = -1;
};

void check_missing(const Check& check, const std::string& where, const std::string& hint) {
  CAPTURE(check.text);
  CAPTURE(check.hint);
  CHECK(check.level == Level::warning);
  CHECK(contains(check.text, "does not know our root"));
  CHECK(contains(check.text, where));
  CHECK(contains(check.hint, hint));
}

void check_found(const Check& check, const std::string& where) {
  CAPTURE(check.text);
  CHECK(check.level == Level::ok);
  CHECK(contains(check.text, "finds our root in " + where));
  CHECK(check.hint.empty());
}

}  // namespace

TEST_CASE("doctor: Python's ssl looks where its OpenSSL was built to look, or where SSL_CERT_FILE says") {
  const Place place;
  const Running plain({python, "-c", python_waits}, {}, "ready");
  const std::string usual = shell(std::string(python) +
                                  " -c 'import ssl; print(ssl.get_default_verify_paths()."
                                  "openssl_cafile)' | tr -d '\\n'");
  const Check missing = place.about(plain, "OpenSSL");
  check_missing(missing, usual, "lunarctl ca install");
  CHECK(missing.name == fs::canonical(python).filename().string() + " (" + plain.pid() + ")");

  const Running told({python, "-c", python_waits}, {"SSL_CERT_FILE=" + place.bundle}, "ready");
  check_found(place.about(told, "OpenSSL"), place.bundle + " (SSL_CERT_FILE)");
  const Running wrongly({python, "-c", python_waits}, {"SSL_CERT_FILE=/none.pem", "SSL_CERT_DIR=/none"}, "ready");
  check_missing(place.about(wrongly, "OpenSSL"), "/none.pem (SSL_CERT_FILE) and /none (SSL_CERT_DIR)",
                "add the roots of `lunarctl ca bundle` to /none.pem");
}

TEST_CASE("doctor: OpenSSL finds a root in a folder by its hash alone") {
  Place place;
  const std::string folder = place.path / "folder";
  fs::create_directory(folder);
  fs::copy_file(place.ours, folder + "/ours.pem");
  const std::vector<std::string> environment{"SSL_CERT_FILE=/none.pem", "SSL_CERT_DIR=/none:" + folder};
  const Running process({python, "-c", python_waits}, environment, "ready");
  check_missing(place.about(process, "OpenSSL"), folder, "ca bundle");
  shell("openssl rehash " + folder);
  check_found(place.about(process, "OpenSSL"), folder + " (SSL_CERT_DIR)");
}

TEST_CASE("doctor: certifi is that of the virtual environment, and REQUESTS_CA_BUNDLE comes before it") {
  Place place;
  const std::string version = shell(std::string(python) + " -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'");
  const std::string list =
      "venv/lib/python" + version.substr(0, version.size() - 1) + "/site-packages/certifi/cacert.pem";
  place.file("venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n");
  place.file(list, text_of_file("/etc/ssl/certs/ca-certificates.crt"));
  fs::create_directories(place.path / "venv/bin");
  fs::create_symlink(python, place.path / "venv/bin/python");
  const std::string program = place.path / "venv/bin/python";

  const Running plain({program, "-c", python_waits}, {}, "ready");
  check_missing(place.about(plain, "certifi"), place.path / list, "REQUESTS_CA_BUNDLE");
  const Running told({program, "-c", python_waits}, {"REQUESTS_CA_BUNDLE=" + place.bundle}, "ready");
  check_found(place.about(told, "certifi"), place.bundle + " (REQUESTS_CA_BUNDLE)");
}

TEST_CASE("doctor: Debian's certifi is the system's bundle, and a virtual environment without one has none") {
  Place place;
  const Running debian({python, "-c", python_waits}, {}, "ready");
  check_missing(place.about(debian, "certifi"), "/etc/ssl/certs/ca-certificates.crt", "lunarctl ca install");
  place.file("venv/pyvenv.cfg", "home = /usr/bin\n");
  fs::create_directories(place.path / "venv/bin");
  fs::create_symlink(python, place.path / "venv/bin/python");
  const Running none({place.path / "venv/bin/python", "-c", python_waits}, {}, "ready");
  for (const Check& check : check_trust_of(none.pid(), place.root)) CHECK_FALSE(contains(check.text, "certifi"));
}

TEST_CASE("doctor: Node has a list of its own, which NODE_EXTRA_CA_CERTS adds to and an option replaces") {
  const Place place;
  const std::string script = "console.log('ready'); process.stdin.resume()";
  const Running plain({"node", "-e", script}, {}, "ready");
  check_missing(place.about(plain, "Node.js"), "", "NODE_EXTRA_CA_CERTS");
  const Running told({"node", "-e", script}, {"NODE_EXTRA_CA_CERTS=" + place.ours}, "ready");
  check_found(place.about(told, "Node.js"), place.ours + " (NODE_EXTRA_CA_CERTS)");
  const Running system({"node", "--use-openssl-ca", "-e", script}, {"SSL_CERT_FILE=" + place.bundle}, "ready");
  check_found(place.about(system, "Node.js"), place.bundle + " (SSL_CERT_FILE)");
}

TEST_CASE("doctor: Go reads the first bundle that it knows, or the one of SSL_CERT_FILE") {
  const Place place;
  const Running plain({"gofmt"}, {}, "");
  check_missing(place.about(plain, "Go"), "/etc/ssl/certs/ca-certificates.crt and /etc/ssl/certs",
                "lunarctl ca install");
  const Running told({"gofmt"}, {"SSL_CERT_FILE=" + place.bundle}, "");
  check_found(place.about(told, "Go"), place.bundle + " (SSL_CERT_FILE)");
}

TEST_CASE("doctor: curl looks at its variables, libraries with the system's list do not") {
  const Place place;
  {
    const Waiting plain(place, {"curl", "-K"}, {});
    check_missing(place.about(*plain.process, "curl"), "/etc/ssl/certs/ca-certificates.crt and /etc/ssl/certs",
                  "lunarctl ca install");
  }
  {
    const Waiting told(place, {"curl", "-K"}, {"CURL_CA_BUNDLE=" + place.bundle, "SSL_CERT_FILE=/none.pem"});
    check_found(place.about(*told.process, "curl"), place.bundle + " (CURL_CA_BUNDLE)");
  }
  const Waiting wget(place, {"wget", "-i"}, {"SSL_CERT_FILE=" + place.bundle});
  check_missing(place.about(*wget.process, "GnuTLS"), "/etc/ssl/certs/ca-certificates.crt", "lunarctl ca install");
}

TEST_CASE("doctor: NSS has the database of its user, and says how the root gets there") {
  const Place place;
  const std::string folder = place.path / "home/.pki/nssdb";
  fs::create_directories(folder);
  shell("certutil -N --empty-password -d sql:" + folder);
  const Running process({"modutil", "-dbdir", "sql:" + folder, "-fips", "false"},
                        {"HOME=" + (place.path / "home").string()}, "WARNING");  // and waits for consent
  check_missing(place.about(process, "NSS"), folder, "lunarctl ca install --nss " + folder);
  shell("certutil -A -a -n ours -t ,, -d sql:" + folder + " -i " + place.ours);
  check_missing(place.about(process, "NSS"), folder, "lunarctl ca install --nss " + folder);
  shell("certutil -M -n ours -t C,, -d sql:" + folder);
  check_found(place.about(process, "NSS"), folder);
}

TEST_CASE("doctor: Java has the list of its JDK, or the one that the last of its options names") {
  Place place;
  place.file("Wait.java", java_waits);
  const std::string source = place.path / "Wait.java";
  const Running plain({"java", source}, {}, "ready");
  check_missing(place.about(plain, "Java"), "cacerts", "lunarctl ca install");

  const std::string option = "-Djavax.net.ssl.trustStore=";
  const std::string keystore = place.path / "ours.p12";
  shell("keytool -importcert -noprompt -alias ours -file " + place.ours + " -keystore " + keystore +
        " -storepass changeit");
  const Running told({"java", source}, {"JAVA_TOOL_OPTIONS=" + option + keystore}, "ready");
  check_found(place.about(told, "Java"), keystore + " (JAVA_TOOL_OPTIONS)");
  const Running other({"java", option + "none.p12", source}, {"JAVA_TOOL_OPTIONS=" + option + keystore}, "ready");
  check_missing(place.about(other, "Java"), "/none.p12 (its command line)", "ca bundle");
}

TEST_CASE("doctor: a process with a root folder of its own is looked at in that one, links included") {
  Place place;
  const std::string machine = place.path / "machine";
  fs::create_directories(machine + "/etc/ssl/certs");
  fs::create_directories(machine + "/etc/pki");
  fs::copy_file(fs::canonical(shell("command -v gofmt | tr -d '\\n'")), machine + "/gofmt");
  fs::copy_file("/etc/ssl/certs/ca-certificates.crt", machine + "/etc/pki/bundle.pem");
  fs::create_symlink("/etc/pki/bundle.pem", machine + "/etc/ssl/certs/ca-certificates.crt");
  const Running process({"/gofmt"}, {}, "", machine);
  check_missing(place.about(process, "Go"), "/etc/ssl/certs/ca-certificates.crt", "into its image");
  fs::copy_file(place.bundle, machine + "/etc/pki/bundle.pem", fs::copy_options::overwrite_existing);
  check_found(place.about(process, "Go"), "/etc/ssl/certs/ca-certificates.crt");
}

TEST_CASE("doctor: a file that got our root after the process began may have been read before") {
  Place place;
  const std::string file = place.path / "changing.pem";
  fs::copy_file(place.bundle, file);
  const Running process({python, "-c", python_waits}, {"SSL_CERT_FILE=" + file}, "ready");
  check_found(place.about(process, "OpenSSL"), file);
  fs::last_write_time(file, fs::file_time_type::clock::now() + std::chrono::hours(1));
  const Check late = place.about(process, "OpenSSL");
  CHECK(late.level == Level::warning);
  CHECK(contains(late.text, "may have read " + file));
  CHECK(late.hint == "start it again");
}

TEST_CASE("doctor: a unit is all processes of its cgroup, equal ones are one check, and the way out names it") {
  const Place place;
  const std::string mount = cgroup2_mount(text_of_file("/proc/self/mountinfo"));
  const std::string unit = "lunar-doctor-" + std::to_string(::getpid()) + ".service";
  const fs::path cgroup = mount + cgroup2_path(text_of_file("/proc/self/cgroup")) + "/" + unit;
  CHECK(contains(check_trust_of(unit, place.root).at(0).text, "no process"));
  REQUIRE(fs::create_directory(cgroup));
  {
    const std::string script = "console.log('ready'); process.stdin.resume()";
    const Running one({"node", "-e", script}, {}, "ready");
    const Running two({"node", "-e", script}, {}, "ready");
    const Running shell_alone({"cat"}, {}, "");
    for (const Running* process : {&one, &two, &shell_alone}) std::ofstream(cgroup / "cgroup.procs") << process->pid();
    const std::vector<Check> checks = check_trust_of(unit, place.root);
    REQUIRE(checks.size() == 2);
    const Check& node = checks[0].level == Level::warning ? checks[0] : checks[1];
    const Check& other = checks[0].level == Level::warning ? checks[1] : checks[0];
    CHECK(contains(node.name, one.pid()));
    CHECK(contains(node.name, two.pid()));
    CHECK(node.hint == "lunarctl ca env --unit " + unit + ", then systemctl restart " + unit);
    CHECK(other.text == "has no TLS library that is known here");
  }
  CHECK(fs::remove(cgroup));
}

TEST_CASE("doctor: a process that nobody else may look at, or that has ended, is one clear line") {
  const Place place;
  std::string ended;
  {
    const Running process({"cat"}, {}, "");
    ended = process.pid();
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(65534, 65534, 65534) != 0) ::_exit(99);
      const std::vector<Check> checks = check_trust_of(process.pid(), place.root);
      const bool clear = checks.size() == 1 && checks[0].hint == "run as root" &&
                         contains(checks[0].text, "/proc cannot be read") && contains(checks[0].name, process.pid());
      ::_exit(clear ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  const std::vector<Check> checks = check_trust_of(ended, place.root);
  REQUIRE(checks.size() == 1);
  CHECK(contains(checks[0].text, "has ended"));
}

TEST_CASE("doctor: the verb says it beside what it said before, for people and as JSON") {
  Place place;
  place.file("lunard.yaml", "tls: {ca_dir: " + place.ca() + "}\n");
  const Running process({"node", "-e", "console.log('ready'); process.stdin.resume()"}, {}, "ready");
  const auto doctor = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--socket", "/nonexistent/lunard.sock", "--config-dir", place.path, "doctor"});
    return run(std::move(words));
  };
  const Outcome text = doctor({process.pid()});
  CHECK(text.code == 3);
  CHECK(contains(text.out, "local authority"));
  CHECK(contains(text.out, "lunarctl ca install"));
  CHECK(contains(text.out, "Node.js does not know our root"));
  const json checks = json::parse(doctor({process.pid(), "--json"}).out).at("checks");
  CHECK(checks.back().at("hint").get<std::string>().find("NODE_EXTRA_CA_CERTS") != std::string::npos);
  CHECK_FALSE(contains(doctor({}).out, "Node.js"));
  place.file("lunard.yaml", "tls: {ca_dir: " + place.path.string() + "/none}\n");
  CHECK(contains(doctor({process.pid()}).out, "there is none"));
}
