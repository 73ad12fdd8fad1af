// What one peer can cost a session, and the end of those that go beyond.
#include <doctest/doctest.h>

#include <malloc.h>

#include <memory>
#include <string>

#include "agent/http/h2_preface.h"
#include "tests/http/h2_frames.h"
#include "tests/http/h2_owner.h"

using namespace lunar;
using namespace lunar::test;
using http::H2Code;
using http::H2Limits;
using http::H2Session;
using http::H2Time;
using http::StreamId;
using std::chrono::seconds;

namespace {

constexpr H2Time noon{std::chrono::hours(12)};

http::H2Options options(const H2Limits& limits = {}) {
  http::H2Options out;
  out.limits = limits;
  out.now = noon;
  return out;
}

// A server session whose client has sent its preface.
class Server {
 public:
  explicit Server(const H2Limits& limits = {}) : owner(H2Session::Role::server, options(limits)) {
    send(std::string(http::h2_preface) + settings_frame({}) + settings_ack());
  }

  // Without reading what comes back.
  void send(std::string_view bytes, H2Time now = noon) { owner.session.feed(bytes, now); }

  // How often the same can be sent, and everything that comes back is read, before the session is over.
  int endured(const std::string& bytes, int most) {
    int count = 0;
    while (count < most && !owner.session.over()) {
      send(bytes);
      (void)owner.pull();
      ++count;
    }
    return count;
  }

  H2Owner owner;
};

void check_calm(const H2Owner& owner, std::string_view reason) {
  CHECK(owner.over_code == H2Code::enhance_your_calm);
  CHECK(owner.over_reason == reason);
  CHECK(owner.overs == 1);
  for (const auto& [id, record] : owner.streams) CHECK(record.closings == 1);
}

size_t allocated() { return mallinfo2().uordblks; }

std::string get(uint32_t stream) { return headers_frame(stream, request_fields()); }

}  // namespace

TEST_CASE("h2 limits: a client that opens and resets without end") {
  Server server;
  uint32_t stream = 1;
  for (int i = 0; i < 1000; ++i, stream += 2) server.send(get(stream) + reset_frame(stream, 8));
  CHECK(!server.owner.session.over());
  server.send(get(stream) + reset_frame(stream, 8));
  CHECK(server.owner.over_code == H2Code::enhance_your_calm);
  CHECK(server.owner.over_reason == "too many aborted streams");
}

TEST_CASE("h2 limits: a client that resets now and then goes on for ever") {
  Server server;
  uint32_t stream = 1;
  for (int second = 0; second < 100; ++second)
    for (int i = 0; i < 100; ++i, stream += 2)
      server.send(get(stream) + reset_frame(stream, 8), noon + seconds(second));
  CHECK(!server.owner.session.over());
}

TEST_CASE("h2 limits: a client that makes us reset counts the same") {
  Server server;
  uint32_t stream = 1;
  while (stream < 10'000 && !server.owner.session.over()) {
    server.send(headers_frame(stream, {{":method", "GET"}}));
    (void)server.owner.pull();
    stream += 2;
  }
  check_calm(server.owner, "too many aborted streams");
  CHECK(stream > 2000);
  Server windows;
  stream = 1;
  while (stream < 10'000 && !windows.owner.session.over()) {
    windows.send(headers_frame(stream, post_fields(), flag::end_headers) + window_frame(stream, 0x7fff'ffffU));
    (void)windows.owner.pull();
    stream += 2;
  }
  CHECK(windows.owner.over_reason == "too many aborted streams");
}

TEST_CASE("h2 limits: a client that opens more streams than it may, and does not acknowledge that") {
  H2Owner owner(H2Session::Role::server, options());
  owner.session.feed(std::string(http::h2_preface) + settings_frame({}), noon);
  uint32_t stream = 1;
  for (; stream < 10'000 && !owner.session.over(); stream += 2) {
    owner.session.feed(get(stream), noon);
    (void)owner.pull();
  }
  check_calm(owner, "too many aborted streams");
  CHECK(owner.streams.size() == 100);
}

TEST_CASE("h2 limits: floods of frames that carry nothing") {
  Server settings;
  CHECK(settings.endured(settings_frame({{4, 1}}), 1000) < 150);
  check_calm(settings.owner, "too many SETTINGS frames");

  Server pings;
  CHECK(pings.endured(ping_frame("12345678"), 10'000) < 1100);
  check_calm(pings.owner, "too many PING frames");

  Server priorities;
  CHECK(priorities.endured(frame(priority, 0, 1, big_endian(0, 4).append("x")), 100'000) < 11'000);
  check_calm(priorities.owner, "too many frames that carry nothing");

  Server unknown;
  CHECK(unknown.endured(frame(0x77, 0, 0, {}), 100'000) < 11'000);
  check_calm(unknown.owner, "too many frames that carry nothing");

  Server empty;
  empty.send(headers_frame(1, post_fields(), flag::end_headers));
  CHECK(empty.endured(data_frame(1, {}), 100'000) < 11'000);
  check_calm(empty.owner, "too many frames that carry nothing");
}

TEST_CASE("h2 limits: CONTINUATION without an end") {
  Server server;
  server.send(frame(headers, 0, 1, {}));
  CHECK(server.endured(frame(continuation, 0, 1, literal("a", "b")), 100) == 17);
  check_calm(server.owner, "too many CONTINUATION frames");
}

TEST_CASE("h2 limits: a peer that asks and does not read") {
  H2Limits limits;
  limits.queued_frames = 50;
  Server server(limits);
  (void)server.owner.pull();
  int count = 0;
  while (count < 1000 && !server.owner.session.over()) {
    server.send(ping_frame("12345678"));
    ++count;
  }
  CHECK(count <= 51);
  check_calm(server.owner, "the peer does not read our answers");
}

TEST_CASE("h2 limits: a header list above the limit ends its stream, far above the session") {
  Server server;
  std::string large = headers_frame(1, request_fields(), 0);
  for (int i = 0; i < 5; ++i)
    large += frame(continuation, i == 4 ? flag::end_headers : 0, 1, literal("x", std::string(15'000, 'y')));
  server.send(large);
  CHECK(!server.owner.session.over());
  CHECK(server.owner.streams.empty());
  std::vector<Frame> back = frames_of(server.owner.pull());
  CHECK(back.back().type == rst_stream);
  CHECK(number_at(back.back().payload, 0) == static_cast<uint32_t>(H2Code::enhance_your_calm));
  server.send(get(3));
  CHECK(server.owner.streams[3].endings == 1);
}

TEST_CASE("h2 limits: few bytes that unfold into many") {
  Server server;
  // One entry of 4,000 bytes, and 300 references to it.
  std::string bomb =
      unhex("40 0178") + std::string("\x7f\xa1\x1e", 3) + std::string(4000, 'y') + std::string(300, '\xbe');
  server.send(frame(headers, flag::whole, 1, bomb));
  CHECK(server.owner.over_code == H2Code::enhance_your_calm);
  CHECK(server.owner.over_reason == "a header list is far too large");
}

TEST_CASE("h2 limits: a window that opens byte by byte") {
  H2Limits limits;
  limits.idle_frames = {200, 1};
  Server server(limits);
  server.send(settings_frame({{4, 0}}) + get(1));
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + std::string(50'000, 'x');
  CHECK(server.owner.session.provide(1, response) == response.size());
  (void)server.owner.pull();
  CHECK(server.owner.session.blocked(1));
  CHECK(server.owner.session.sent(1) == 0);
  CHECK(server.endured(window_frame(1, 1), 1000) < 110);
  check_calm(server.owner, "the peer's flow-control window is too small");
}

TEST_CASE("h2 limits: what is provided for peers that do not read is bounded, and does not starve the others") {
  H2Limits limits;
  limits.session_output = 200'000;
  Server server(limits);
  server.send(settings_frame({{4, 0}}));
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x');
  size_t provided = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    server.send(get(2 * i + 1));
    provided += server.owner.session.provide(2 * i + 1, response);
    provided += server.owner.session.provide(2 * i + 1, response.substr(100));
    CHECK(server.owner.session.room(2 * i + 1) == 0);
  }
  CHECK(provided > 200'000);
  CHECK(provided < 200'000 + 65'536 + 100 * (4096 + 100));
}

TEST_CASE("h2 limits: the memory of an idle session") {
  // nghttp2 allocates with malloc: what a hundred pairs take is what the heap has grown by.
  size_t before = allocated();
  std::vector<std::unique_ptr<H2Pair>> pairs;
  for (int i = 0; i < 100; ++i) {
    pairs.push_back(std::make_unique<H2Pair>());
    pairs.back()->request("GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: test\r\n\r\n");
    pairs.back()->give(pairs.back()->server, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    pairs.back()->client.streams.clear();
    pairs.back()->server.streams.clear();
  }
  size_t each = (allocated() - before) / 200;
  MESSAGE("FIGURE bytes of an idle session: ", each);
  CHECK(each < 40 * 1024);
}
