#include "agent/authority_role.h"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "agent/net/authority_files.h"
#include "agent/net/minting.h"
#include "tests/config/temporary_dir.h"
#include "tests/net/der_builder.h"
#include "tests/net/leaf_verdict.h"
#include "tests/net/operator_ca.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;
using std::chrono::days;

// What is logged while it lives, as "level text".
class LogLines {
 public:
  LogLines() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    sink->set_pattern("%l %v");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::move(sink)));
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() { spdlog::set_default_logger(before_); }

  // Since the last call.
  Lines take() {
    Lines out;
    std::istringstream lines(text_.str());
    text_.str("");
    for (std::string line; std::getline(lines, line);) out.push_back(line);
    return out;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

// A supervisor's folder, which is empty at first, and its role.
struct Place {
  TemporaryDir state;
  std::string folder = state.path() + "/ca";
  LogLines log;
  EventLoop loop = std::move(*EventLoop::create());
  AuthorityRole role{loop, TlsConfig{.ca_dir = folder, .leaf_lifetime = max_leaf_lifetime}};

  void write(const LocalAuthority& authority) const {
    const auto written = write_authority(folder, authority);
    REQUIRE_MESSAGE(written, written.error().text);
  }
  void set_key_mode(mode_t mode) const { REQUIRE(chmod((folder + "/key.pem").c_str(), mode) == 0); }
};

LocalAuthority authority(std::chrono::seconds lifetime = days(3652), WallTime now = noon) {
  auto out = LocalAuthority::create({.hostname = "shop-1", .lifetime = lifetime}, now);
  REQUIRE_MESSAGE(out, out.error().text);
  return std::move(*out);
}

LeafRequest question() {
  return {.public_key = p256_public_key(),
          .host = "api.example.com",
          .names = {.dns = {"api.example.com"}, .common_name = "api.example.com"}};
}

// Whether clients of this authority take what is minted now.
bool mints(Place& place, const LocalAuthority& by, WallTime now = noon) {
  const auto minted = place.role.mint(question(), now);
  return minted && verdict(*minted, by.trust_bundle(now), "api.example.com", now) == X509_V_OK;
}

std::string refusal(Place& place, WallTime now = noon) {
  const auto minted = place.role.mint(question(), now);
  REQUIRE_FALSE(minted);
  return minted.error().text;
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The one line that was logged; empty if there were more or none.
std::string only_line(Place& place) {
  const Lines lines = place.log.take();
  return lines.size() == 1 ? lines.front() : "";
}

size_t open_descriptors() {
  return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

WallTime wall_now() { return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()); }

// A gateway asks on a thread of its own, and its question is what the supervisor's loop runs for.
Result<MintedLeaf> ask(Place& place, const Fd& asking) {
  Result<MintedLeaf> out;
  std::thread gateway([&] { out = MintQuestions(asking.get()).ask(question(), 30s); });
  place.loop.run_once(10s);
  gateway.join();
  return out;
}

}  // namespace

TEST_CASE("authority of the supervisor: where there is none, that is said once, and one that is made works at once") {
  Place place;
  for (int i = 0; i < 3; ++i) CHECK(mentions(refusal(place), "lunarctl ca init"));
  CHECK(only_line(place) == "warning no certificate authority in " + place.folder +
                                ": TLS is passed through; `lunarctl ca init` makes one");
  const LocalAuthority made = authority();
  place.write(made);
  CHECK(mints(place, made));
  const std::string line = only_line(place);
  CHECK(line.starts_with("info "));
  CHECK(mentions(line, made.describe().subject));
  CHECK(mentions(line, made.describe().fingerprint));
  CHECK(mentions(line, "until 2036-06-14"));
  for (int i = 0; i < 3; ++i) CHECK(mints(place, made));
  CHECK(place.log.take().empty());
}

TEST_CASE("authority of the supervisor: one that is replaced or taken away counts from the next question on") {
  Place place;
  const LocalAuthority first = authority();
  place.write(first);
  CHECK(mints(place, first));
  CHECK(only_line(place) != "");
  const auto second = first.rotate({}, noon);
  REQUIRE(second);
  place.write(*second);
  const auto minted = place.role.mint(question(), noon);
  REQUIRE(minted);
  CHECK(verdict(*minted, second->certificates_pem(), "api.example.com", noon) == X509_V_OK);
  CHECK(verdict(*minted, first.certificates_pem(), "api.example.com", noon) != X509_V_OK);
  CHECK(mentions(only_line(place), second->describe().fingerprint));
  place.write(*second);  // the same once more is no news
  CHECK(mints(place, *second));
  CHECK(place.log.take().empty());
  fs::remove_all(place.folder);
  CHECK(mentions(refusal(place), "there is no local authority"));
  CHECK(mentions(only_line(place), "no certificate authority in"));
}

TEST_CASE("authority of the supervisor: a key that others may read is not used until that has been corrected") {
  Place place;
  const LocalAuthority made = authority();
  place.write(made);
  place.set_key_mode(0640);
  for (int i = 0; i < 3; ++i) CHECK(mentions(refusal(place), "chmod 600"));
  const std::string line = only_line(place);
  CHECK(line.starts_with("error the certificate authority cannot be used, TLS is passed through: "));
  CHECK(mentions(line, "chmod 600 " + place.folder + "/key.pem"));
  place.set_key_mode(0600);
  CHECK(mints(place, made));
  CHECK(only_line(place).starts_with("info "));
  place.set_key_mode(0604);
  CHECK(mentions(refusal(place), "chmod 600"));
  CHECK(only_line(place).starts_with("error "));
}

TEST_CASE("authority of the supervisor: its last 30 days are told once a day, and its end once") {
  Place place;
  const LocalAuthority brief = authority(days(40));
  place.write(brief);
  CHECK(mints(place, brief, noon + days(10) - 1s));
  CHECK(only_line(place).starts_with("info "));
  CHECK(mints(place, brief, noon + days(10)));
  CHECK(mints(place, brief, noon + days(10) + 1s));
  const std::string line = only_line(place);
  CHECK(line.starts_with("warning the certificate authority ends on 2026-07-25: `lunarctl ca rotate`"));
  CHECK(mints(place, brief, noon + days(11) - 1ms));
  CHECK(place.log.take().empty());
  CHECK(mints(place, brief, noon + days(11)));
  CHECK(only_line(place) == line);
  const WallTime end = noon + days(40);
  CHECK(mints(place, brief, end - 1s));
  CHECK(only_line(place) == line);
  for (const auto late : {0h, 1h, 48h}) CHECK(mentions(refusal(place, end + late), "expired on 2026-07-25"));
  CHECK(mentions(only_line(place), "expired on 2026-07-25"));
  const auto fresh = brief.rotate({}, end);
  REQUIRE(fresh);
  place.write(*fresh);
  CHECK(mints(place, *fresh, end));
  CHECK(only_line(place).starts_with("info "));
}

TEST_CASE("authority of the supervisor: one that a wrong clock made unusable is used when the clock is right") {
  Place place;
  const LocalAuthority made = authority();
  place.write(made);
  CHECK(mentions(refusal(place, noon - days(2)), "check the clock"));
  CHECK(only_line(place).starts_with("error "));
  CHECK(mints(place, made));
  CHECK(only_line(place).starts_with("info "));
  CHECK(mentions(refusal(place, noon + days(5000)), "expired on"));
  CHECK(only_line(place).starts_with("error "));
  CHECK(mints(place, made));
}

TEST_CASE("authority of the supervisor: a leaf lives as long as is configured at most, whatever the gateway asks for") {
  Place place;
  const LocalAuthority made = authority();
  place.write(made);
  AuthorityRole brief(place.loop, {.ca_dir = place.folder, .leaf_lifetime = 1h});
  LeafRequest request = question();
  CHECK(brief.mint(request, noon)->validity.not_after == noon + 1h);
  request.lifetime = std::chrono::seconds::max();
  CHECK(brief.mint(request, noon)->validity.not_after == noon + 1h);
  request.lifetime = 10min;
  CHECK(brief.mint(request, noon)->validity.not_after == noon + 10min);
  for (const std::chrono::seconds wrong : {0s, -1s, std::chrono::seconds::min()}) {
    request.lifetime = wrong;
    CHECK_FALSE(brief.mint(request, noon));
  }
}

TEST_CASE("authority of the supervisor: what a gateway may not have is refused and not logged") {
  Place place;
  auto made = LocalAuthority::create({.permitted = {.dns = {"example.com"}}}, noon);
  REQUIRE(made);
  place.write(*made);
  CHECK(mints(place, *made));
  CHECK(only_line(place) != "");
  LeafRequest request = question();
  request.host = "";
  request.names.dns.emplace_back("api.example.org");
  CHECK(mentions(place.role.mint(request, noon).error().text, "may not certify api.example.org,"));
  request.names.dns.back() = "*";
  CHECK(mentions(place.role.mint(request, noon).error().text, "no host name"));
  CHECK(place.log.take().empty());
}

TEST_CASE("authority of the supervisor: every gateway has its own end, and what is missing is told when one starts") {
  Place place;
  const size_t before = open_descriptors();
  auto first = place.role.connect();
  REQUIRE(first);
  CHECK(mentions(only_line(place), "no certificate authority in"));
  auto second = place.role.connect();
  REQUIRE(second);
  CHECK(place.log.take().empty());
  CHECK(open_descriptors() == before + 4);
  CHECK(mentions(ask(place, *first).error().text, "lunarctl ca init"));

  const LocalAuthority made = authority(days(3652), wall_now());
  place.write(made);
  for (const Fd* asking : {&*first, &*second}) {
    const auto minted = ask(place, *asking);
    REQUIRE_MESSAGE(minted, minted.error().text);
    CHECK(verdict(*minted, made.trust_bundle(wall_now()), "api.example.com", wall_now()) == X509_V_OK);
  }
  first->reset();
  place.loop.run_once(10s);
  CHECK(open_descriptors() == before + 2);
  CHECK(ask(place, *second));
}

TEST_CASE("authority of the supervisor: a gateway that says what is no question is not answered any more") {
  Place place;
  place.write(authority(days(3652), wall_now()));
  auto hostile = place.role.connect();
  auto other = place.role.connect();
  REQUIRE(hostile);
  REQUIRE(other);
  place.log.take();
  REQUIRE(send(hostile->get(), "x", 1, 0) == 1);
  place.loop.run_once(10s);
  CHECK(mentions(only_line(place), "error a gateway process gets no leaf certificates any more"));
  CHECK(MintQuestions(hostile->get()).ask(question(), 30s).error().os_error == EPIPE);
  CHECK(ask(place, *other));
}
