// How streams and sessions are held back, and how they end.
#include <doctest/doctest.h>

#include <string>

#include "agent/http/h2_preface.h"
#include "agent/http/h2_session.h"
#include "tests/http/h2_frames.h"
#include "tests/http/h2_owner.h"

using namespace lunar;
using namespace lunar::test;
using http::H2Code;
using http::H2Session;
using http::StreamId;

namespace {

constexpr std::string_view get = "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view post = "POST /p HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("h2 session: a peer that is not read is held back by the window, and goes on when it is") {
  H2Pair pair;
  pair.server.consuming = false;
  StreamId id = pair.request(post);
  const std::string body(4 << 20, 'x');
  std::string rest = chunk(body) + "0\r\n\r\n";
  size_t most = 0;
  while (!rest.empty()) {
    size_t taken = pair.client.session.provide(id, rest);
    rest.erase(0, taken);
    pair.run();
    size_t held = pair.server.streams[1].unconsumed;
    most = std::max(most, held);
    if (pair.client.session.room(id) == 0) {
      CHECK(pair.client.session.blocked(id));
      pair.server.consume(1, held);
      pair.run();
      CHECK(pair.client.session.room(id) != 0);
      CHECK(pair.client.streams[id].writables > 0);
    }
  }
  pair.server.consume(1, pair.server.streams[1].unconsumed);
  pair.run();
  CHECK(payload(pair.server.streams[1].bytes) == body);
  CHECK(pair.server.streams[1].endings == 1);
  CHECK(most > 200'000);
  CHECK(most < 300'000);  // the window and the framing of its chunks
  CHECK(pair.client.session.sent(id) == body.size());
}

TEST_CASE("h2 session: the same for a response, while other streams go on") {
  H2Pair pair;
  pair.client.consuming = false;
  StreamId slow = pair.request(get);
  StreamId quick = pair.request(get);
  const std::string body(1 << 20, 'y');
  std::string rest = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  size_t provided = pair.server.session.provide(1, rest);
  while (provided < rest.size()) {
    pair.run();
    size_t taken = pair.server.session.provide(1, std::string_view(rest).substr(provided));
    if (taken == 0) break;
    provided += taken;
  }
  CHECK(provided < 400'000);
  CHECK(pair.server.session.blocked(1));
  CHECK(!pair.server.session.blocked(3));
  pair.give(pair.server, 3, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(pair.client.streams[quick].bytes.ends_with("hello"));
  while (provided < rest.size()) {
    pair.client.consume(slow, pair.client.streams[slow].unconsumed);
    pair.run();
    provided += pair.server.session.provide(1, std::string_view(rest).substr(provided));
  }
  pair.client.consume(slow, pair.client.streams[slow].unconsumed);
  pair.run();
  CHECK(pair.client.streams[slow].bytes.ends_with(body));
  CHECK(pair.client.streams[slow].closings == 1);
}

TEST_CASE("h2 session: what a closed stream has left unread still counts against the connection's window") {
  http::H2Options options;
  options.limits.connection_window = 1024 * 1024;
  H2Pair pair(options);
  pair.client.consuming = false;
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'z');
  std::vector<StreamId> ids;
  for (uint32_t i = 0; i < 5; ++i) {
    ids.push_back(pair.request(get));
    pair.give(pair.server, 2 * i + 1, response);
    CHECK(pair.client.streams[ids.back()].closings == 1);
  }
  StreamId last = pair.request(get);
  pair.give(pair.server, 11, response);
  CHECK(pair.client.streams[last].closings == 0);
  CHECK(pair.server.session.blocked(11));
  pair.client.session.leave(ids[0], H2Code::no_error);  // thrown away
  pair.client.consume(ids[1], pair.client.streams[ids[1]].unconsumed);
  pair.client.consume(ids[2], pair.client.streams[ids[2]].unconsumed);
  pair.give(pair.server, 11, response.substr(response.size() - 200'000 + pair.server.session.sent(11)));
  CHECK(pair.client.streams[last].bytes.size() > 200'000);
  CHECK(pair.client.streams[last].closings == 1);
}

TEST_CASE("h2 session: a response that is over before its request leaves the request alone") {
  H2Pair pair;
  StreamId id = pair.request(post);
  pair.give(pair.server, 1, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  CHECK(pair.client.streams[id].endings == 1);
  CHECK(pair.client.streams[id].closings == 0);
  pair.give(pair.client, id, chunk("more"));
  CHECK(payload(pair.server.streams[1].bytes) == "more");
  pair.server.session.leave(1, H2Code::no_error);
  pair.run();
  CHECK(pair.client.streams[id].closings == 1);
  CHECK(pair.client.streams[id].code == H2Code::no_error);
  CHECK(pair.server.streams[1].closings == 0);  // whoever resets is not told
}

TEST_CASE("h2 session: resets reach the other side with their code, and the session goes on") {
  H2Pair pair;
  StreamId first = pair.request(post);
  StreamId second = pair.request(get);
  pair.client.session.leave(first, H2Code::cancel);
  pair.server.session.leave(3, H2Code::refused_stream);
  pair.run();
  CHECK(pair.server.streams[1].code == H2Code::cancel);
  CHECK(pair.server.streams[1].reason == "reset by the peer");
  CHECK(pair.client.streams[second].code == H2Code::refused_stream);
  CHECK(pair.client.streams[first].closings == 0);
  CHECK(pair.client.session.provide(first, "whatever") == 8);
  StreamId third = pair.request(get);
  pair.give(pair.server, 5, "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(pair.client.streams[third].bytes == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("h2 session: a stream that is reset before its head is complete was never there") {
  H2Pair pair;
  StreamId id = pair.client.session.open();
  CHECK(pair.client.session.provide(id, "GET / HT") == 8);
  pair.client.session.leave(id, H2Code::cancel);
  pair.run();
  CHECK(pair.server.streams.empty());
  CHECK(pair.client.session.streams() == 0);
}

TEST_CASE("h2 session: HEADERS on a number that was skipped or has been used opens nothing") {
  H2Owner server(H2Session::Role::server, {});
  server.session.feed(std::string(http::h2_preface) + settings_frame({}) + headers_frame(5, request_fields()), {});
  server.session.feed(headers_frame(3, request_fields()), {});
  CHECK(server.session.provide(5, "HTTP/1.1 204 No Content\r\n\r\n") == 27);
  (void)server.pull();
  CHECK(server.streams[5].closings == 1);
  server.session.feed(headers_frame(5, request_fields()), {});
  CHECK(server.order == std::vector<StreamId>{5});
  server.session.feed(headers_frame(7, request_fields()), {});
  CHECK(server.order == std::vector<StreamId>{5, 7});
}

TEST_CASE("h2 session: a server drains in two steps, and loses no request that was on its way") {
  H2Pair pair;
  StreamId first = pair.request(get);
  pair.server.session.drain();
  // Under way while the notice is: the client has not seen it yet.
  StreamId second = pair.client.session.open();
  CHECK(pair.client.session.provide(second, get) == get.size());
  pair.run();
  CHECK(pair.client.goaway == H2Code::no_error);
  CHECK(!pair.client.session.can_open());
  CHECK(pair.server.order.size() == 2);
  CHECK(!pair.server.session.over());
  pair.give(pair.server, 1, "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(!pair.server.session.over());
  pair.give(pair.server, 3, "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(pair.client.streams[first].code == H2Code::no_error);
  CHECK(pair.client.streams[second].endings == 1);
  CHECK(pair.server.over_code == H2Code::no_error);
  CHECK(pair.client.over_code == H2Code::no_error);
  CHECK(pair.server.overs == 1);
}

TEST_CASE("h2 session: a client drains when its streams have ended") {
  H2Pair pair;
  StreamId id = pair.request(get);
  pair.client.session.drain();
  CHECK(pair.client.session.open() == 0);
  pair.run();
  CHECK(!pair.client.session.over());
  pair.give(pair.server, 1, "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(pair.client.streams[id].endings == 1);
  CHECK(pair.client.over_code == H2Code::no_error);
  CHECK(pair.server.over_code == H2Code::no_error);
}

TEST_CASE("h2 session: a request that GOAWAY overtakes may be sent elsewhere") {
  H2Owner client(H2Session::Role::client, {});
  client.session.feed(settings_frame({}), {});
  StreamId sent = client.session.open();
  CHECK(client.session.provide(sent, get) == get.size());
  (void)client.pull();
  StreamId begun = client.session.open();
  CHECK(client.session.provide(begun, get.substr(0, 20)) == 20);
  StreamId queued = client.session.open();
  CHECK(client.session.provide(queued, get) == get.size());
  client.session.feed(goaway_frame(1, 0), {});
  CHECK(client.session.provide(begun, get.substr(20)) == get.size() - 20);
  (void)client.pull();
  CHECK(client.streams[sent].closings == 0);
  CHECK(client.streams[begun].code == H2Code::refused_stream);
  CHECK(client.streams[queued].code == H2Code::refused_stream);
}

TEST_CASE("h2 session: an abort closes every stream, and the peer is told why") {
  H2Pair pair;
  StreamId id = pair.request(post);
  pair.server.session.abort(H2Code::inadequate_security, "not here");
  CHECK(pair.server.overs == 1);
  CHECK(pair.server.streams[1].code == H2Code::inadequate_security);
  pair.run();
  CHECK(pair.client.goaway == H2Code::inadequate_security);
  CHECK(!pair.server.session.has_output());
  CHECK(pair.server.session.provide(1, "x") == 1);
  CHECK(pair.client.session.room(id) > 0);  // its connection is still to be closed
}

TEST_CASE("h2 session: a buffer of 16 KiB takes a full DATA frame, a larger one several") {
  H2Pair pair;
  StreamId id = pair.request(get);
  const std::string body(60'000, 'x');
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body;
  CHECK(pair.server.session.provide(1, response) == response.size());
  std::vector<char> buffer(40'000);
  size_t head = pair.server.session.pull(std::span(buffer).first(100));
  pair.client.session.feed({buffer.data(), head}, {});
  size_t first = pair.server.session.pull(std::span(buffer).first(16 * 1024));
  CHECK(first == 16 * 1024);
  CHECK(frames_of({buffer.data(), first}).size() == 1);
  pair.client.session.feed({buffer.data(), first}, {});
  size_t more = pair.server.session.pull(buffer);
  CHECK(frames_of({buffer.data(), more}).size() == 2);
  pair.client.session.feed({buffer.data(), more}, {});
  pair.run();
  CHECK(pair.client.streams[id].bytes.ends_with("\r\n\r\n" + body));
}

TEST_CASE("h2 session: output can be pulled byte by byte") {
  H2Pair pair;
  StreamId id = pair.request(get);
  CHECK(pair.server.session.provide(1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == 43);
  CHECK(pair.server.session.has_output());
  std::string bytes = pair.server.pull(1);
  CHECK(!pair.server.session.has_output());
  pair.client.session.feed(bytes, {});
  CHECK(pair.client.streams[id].bytes.ends_with("hello"));
}
