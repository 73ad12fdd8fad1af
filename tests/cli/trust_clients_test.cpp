// Real clients, told by `lunarctl ca env`, at a server whose certificate the local authority signed.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/cli/certificates.h"

using namespace lunar::cli::testing;

namespace {

constexpr const char* python_asks = R"(
import socket, ssl, sys
plain = socket.socket(socket.AF_UNIX)
plain.connect(sys.argv[1])
ssl.create_default_context().wrap_socket(plain, server_hostname='a.example.com').do_handshake()
)";

constexpr const char* node_asks = R"(
require('tls').connect({path: process.argv[1], servername: 'a.example.com', host: 'a.example.com'}, () => process.exit(0))
  .on('error', () => process.exit(1))
)";

constexpr const char* java_lists = R"(
import javax.net.ssl.*;
public class Roots {
  public static void main(String[] arguments) throws Exception {
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init((java.security.KeyStore) null);
    for (var root : ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers())
      System.out.println(root.getSubjectX500Principal().getName());
  }
}
)";

// The authority, its variables in the form of a shell, and a server for a.example.com at a path.
struct Place : Folder {
  Place() {
    REQUIRE(run({"ca", "init", "--dir", ca()}).code == 0);
    const Outcome told = run({"ca", "env", "--dir", ca()});
    REQUIRE(told.code == 0);
    std::istringstream lines(told.out);
    for (std::string line; std::getline(lines, line);) variables += " '" + line + "'";
    make_leaf(*this, ca());
  }
  [[nodiscard]] std::string ca() const { return path / "ca"; }
  [[nodiscard]] std::string socket() const { return path / "socket"; }
  [[nodiscard]] Running serve() const {
    return {{"openssl", "s_server", "-unix", socket(), "-cert", path / "leaf.crt", "-key", path / "leaf.key", "-www"},
            {},
            "ACCEPT"};
  }
  // Ends well only with the variables.
  void check(const std::string& command) const {
    CAPTURE(command);
    CHECK(end_of("env " + variables + " " + command) == 0);
    CHECK(end_of("env " + command) != 0);
  }
  [[nodiscard]] int end_of(const std::string& command) const {
    const std::string quiet = "(" + command + ") > " + (path / "said").string() + " 2>&1";
    return WEXITSTATUS(std::system(quiet.c_str()));
  }

  std::string variables;
};

}  // namespace

TEST_CASE("ca env: curl, Python and Node believe the authority with its variables, and not without") {
  Place place;
  const Running server = place.serve();
  place.file("ask.py", python_asks);
  place.check("curl -sf --unix-socket " + place.socket() + " https://a.example.com/");
  place.check("/usr/bin/python3 " + (place.path / "ask.py").string() + " " + place.socket());
  place.file("ask.js", node_asks);
  place.check("node -e \"$(cat " + (place.path / "ask.js").string() + ")\" " + place.socket());
}

TEST_CASE("ca env: Java has the roots of its JDK and ours, and the bundle those of the system and ours") {
  Place place;
  place.file("Roots.java", java_lists);
  const std::string list = "java " + (place.path / "Roots.java").string() + " 2>/dev/null";
  const std::string before = shell(list + " | sort");
  const std::string after = shell("env " + place.variables + " " + list + " | sort");
  CHECK_FALSE(contains(before, "O=Lunar"));
  CHECK(contains(after, "O=Lunar"));
  CHECK(std::ranges::count(after, '\n') == std::ranges::count(before, '\n') + 1);
  CHECK(place.read("ca/bundle.pem") == shell("cat /etc/ssl/certs/ca-certificates.crt") + place.read("ca/cert.pem"));
}

TEST_CASE("ca rotate: the files of the variables have the new root before it is in force") {
  const Place place;
  REQUIRE(run({"ca", "rotate", "--dir", place.ca()}).code == 0);
  const std::string fresh = place.read("ca/cert.pem");
  const std::string ours = fresh + place.read("ca/previous.pem");
  CHECK(place.read("ca/roots.pem") == ours);
  CHECK(place.read("ca/bundle.pem").ends_with(ours));
  CHECK(contains(shell("keytool -list -keystore " + place.ca() + "/truststore.jks -storepass changeit"),
                 installed_name(place.ca() + "/cert.pem")));
}
