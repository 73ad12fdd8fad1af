#include "tests/http/h2_conformance.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "agent/http/h2_preface.h"
#include "tests/http/h2_owner.h"

using namespace lunar;
using namespace lunar::test;
using http::H2Code;
using http::H2Session;
using Peer = Conformance::Peer;

namespace {

constexpr http::H2Time noon{std::chrono::hours(12)};

std::vector<Conformance> all_rows() {
  std::vector<Conformance> rows;
  for (auto part : {framing_rows, frame_type_rows, message_rows, compression_rows, client_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

http::H2Options options() {
  http::H2Options out;
  out.limits.stream_window = 32 * 1024;
  out.limits.connection_window = 65'535;
  out.now = noon;
  return out;
}

bool we_serve(Peer peer) { return peer != Peer::server && peer != Peer::silent_server; }

// One run of a row: our side, and what came back from it.
class Run {
 public:
  explicit Run(const Conformance& row)
      : row_(row), owner_(we_serve(row.peer) ? H2Session::Role::server : H2Session::Role::client, options()) {
    owner_.consuming = row.peer != Peer::unread;
    if (we_serve(row.peer))
      begin_as_client();
    else
      begin_as_server();
    owner_.log.clear();
    back_.clear();
  }

  void send(std::string_view bytes) {
    owner_.session.feed(bytes, noon);
    if (row_.peer == Peer::served) answer();
    back_ += owner_.pull();
  }

  [[nodiscard]] std::vector<Frame> back() const { return frames_of(back_); }
  [[nodiscard]] const H2Owner& owner() const { return owner_; }

  // The connection still works.
  [[nodiscard]] bool alive() {
    back_.clear();
    send(ping_frame("alive???"));
    return std::ranges::any_of(back(), [](const Frame& f) { return f.type == ping && f.payload == "alive???"; });
  }

 private:
  void begin_as_client() {
    if (row_.peer == Peer::silent) return;
    send(std::string(http::h2_preface).append(settings_frame({})));
    if (row_.peer != Peer::unsettled) send(settings_ack());
  }

  void begin_as_server() {
    for (std::string_view head : {"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
                                  "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
                                  "HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n",
                                  "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"})
      REQUIRE(owner_.session.provide(owner_.session.open(), head) == head.size());
    back_ += owner_.pull();
    if (row_.peer == Peer::server) send(settings_frame({}).append(settings_ack()));
  }

  void answer() {
    constexpr std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (http::StreamId id : owner_.order)
      if (owner_.streams[id].endings == 1 && !std::exchange(answered_[id], true))
        REQUIRE(owner_.session.provide(id, text) == text.size());
  }

  const Conformance& row_;
  H2Owner owner_;
  std::string back_;
  std::map<http::StreamId, bool> answered_;
};

// Of all rows but those that want an error: none came.
void check_no_error(Run& run) {
  for (const Frame& f : run.back()) {
    CHECK(f.type != goaway);
    CHECK(f.type != rst_stream);
  }
  CHECK(!run.owner().session.over());
}

void check_answered(Run& run, const Frame& wanted) {
  check_no_error(run);
  auto same = [&](const Frame& f) {
    return f.type == wanted.type && f.flags == wanted.flags && f.stream == wanted.stream &&
           f.payload.starts_with(wanted.payload);
  };
  std::vector<Frame> back = run.back();
  CHECK(std::ranges::count_if(back, same) == 1);
}

void check_reset(Run& run, const Wanted& wanted) {
  auto same = [&](const Frame& f) { return f.type == rst_stream && f.stream == wanted.frame.stream; };
  std::vector<Frame> back = run.back();
  auto found = std::ranges::find_if(back, same);
  CHECK(found != back.end());
  if (found == back.end()) return;
  CHECK(static_cast<H2Code>(number_at(found->payload, 0)) == wanted.code);
  CHECK(std::ranges::count_if(back, same) == 1);
  CHECK(run.alive());
}

void check_goaway(Run& run, const Wanted& wanted) {
  std::vector<Frame> back = run.back();
  auto found = std::ranges::find_if(back, [](const Frame& f) { return f.type == goaway; });
  CHECK(found != back.end());
  if (found == back.end()) return;
  CHECK(static_cast<H2Code>(number_at(found->payload, 4)) == wanted.code);
  CHECK(found + 1 == back.end());
  CHECK(run.owner().over_code == wanted.code);
  CHECK(!run.owner().over_reason.empty());
  CHECK(run.owner().overs == 1);
}

void check(Run& run, const Wanted& wanted) {
  using Kind = Wanted::Kind;
  if (wanted.kind == Kind::goaway) return check_goaway(run, wanted);
  if (wanted.kind == Kind::reset) return check_reset(run, wanted);
  if (wanted.kind == Kind::answered) {
    check_answered(run, wanted.frame);
  } else {
    check_no_error(run);
    CAPTURE(run.owner().log);
    if (wanted.kind == Kind::accepted) CHECK(run.owner().log.find(wanted.text) != std::string::npos);
    if (wanted.kind == Kind::ignored) CHECK(run.owner().log.empty());
  }
  CHECK(run.alive());
}

}  // namespace

TEST_CASE("h2 conformance: every row, whole and byte by byte") {
  for (const Conformance& row : all_rows()) {
    CAPTURE(row.name);
    Run whole(row);
    whole.send(row.sends);
    check(whole, row.wanted);
    Run bytes(row);
    for (char c : row.sends) bytes.send({&c, 1});
    check(bytes, row.wanted);
  }
}

TEST_CASE("h2 conformance: there are at least 150 rows, each with a name of its own that begins with its section") {
  std::map<std::string, int> names;
  for (const Conformance& row : all_rows()) {
    CAPTURE(row.name);
    CHECK(++names[row.name] == 1);
    bool rfc = row.name.starts_with("RFC ");
    bool section = row.name.front() >= '3' && row.name.front() <= '8' && row.name.find(' ') != std::string::npos;
    CHECK((rfc || section));
  }
  CHECK(names.size() >= 150);
}
