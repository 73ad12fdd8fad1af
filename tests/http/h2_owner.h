// An owner of HTTP/2 sessions that remembers what it was told, and two sessions that speak with each other in memory.
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http/h2_session.h"

namespace lunar::test {

inline std::string chunk(std::string_view bytes) {
  char size[20];
  int length = snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
  return std::string(size, static_cast<size_t>(length)).append(bytes).append("\r\n");
}

// The payload of a chunked message whose head ends somewhere in the bytes.
inline std::string payload(std::string_view bytes) {
  size_t body = bytes.find("\r\n\r\n");
  if (body == std::string_view::npos) return "no head";
  std::string out;
  http::BodyIntake intake({http::BodyFraming::Kind::chunked, 0});
  (void)intake.take(bytes.substr(body + 4), out);
  return out;
}

struct StreamRecord {
  std::string bytes;  // of the peer's message
  size_t unconsumed = 0;
  int openings = 0;
  int endings = 0;
  int closings = 0;
  int writables = 0;
  http::H2Code code = http::H2Code::no_error;
  std::string reason;
};

class H2Owner final : public http::H2Events {
 public:
  H2Owner(http::H2Session::Role role, http::H2Options options) : session(role, std::move(options), *this) {}

  void opened(http::StreamId id, std::string_view head) override {
    note("opened", id);
    order.push_back(id);
    ++streams[id].openings;
    take(id, head);
  }
  void received(http::StreamId id, std::string_view bytes) override { take(id, bytes); }
  void ended(http::StreamId id) override {
    note("ended", id);
    ++streams[id].endings;
  }
  void closed(http::StreamId id, const http::H2End& end) override {
    note("closed", id);
    log.append("  ").append(end.reason).append("\n");
    ++streams[id].closings;
    streams[id].code = end.code;
    streams[id].reason = end.reason;
  }
  void writable(http::StreamId id) override { ++streams[id].writables; }
  void peer_settings() override { ++settings; }
  void peer_goaway(const http::H2End& end) override { goaway = end.code; }
  void over(const http::H2End& end) override {
    ++overs;
    over_code = end.code;
    over_reason = end.reason;
  }

  // Everything that is to be sent now.
  std::string pull(size_t piece = 16 * 1024) {
    std::string out;
    std::vector<char> buffer(piece);
    while (size_t size = session.pull(buffer)) out.append(buffer.data(), size);
    return out;
  }

  void consume(http::StreamId id, size_t bytes) {
    streams[id].unconsumed -= bytes;
    session.consumed(id, bytes);
  }

  http::H2Session session;
  std::map<http::StreamId, StreamRecord> streams;
  std::vector<http::StreamId> order;
  std::string log;
  bool consuming = true;  // at once
  int settings = 0;
  int overs = 0;
  std::optional<http::H2Code> goaway;
  std::optional<http::H2Code> over_code;
  std::string over_reason;

 private:
  void take(http::StreamId id, std::string_view bytes) {
    streams[id].bytes.append(bytes);
    log.append(bytes);
    if (consuming)
      session.consumed(id, bytes.size());
    else
      streams[id].unconsumed += bytes.size();
  }
  void note(std::string_view what, http::StreamId id) {
    log.append(what).append(" ").append(std::to_string(id)).append("\n");
  }
};

struct H2Pair {
  H2Owner client;
  H2Owner server;
  http::H2Time now{};
  size_t piece = 16 * 1024;

  explicit H2Pair(http::H2Options client_options = {}, http::H2Options server_options = {})
      : client(http::H2Session::Role::client, std::move(client_options)),
        server(http::H2Session::Role::server, std::move(server_options)) {
    run();
  }

  // Moves bytes until both are silent.
  void run() {
    bool moved = true;
    while (moved) moved = move(client, server) + move(server, client) != 0;
  }

  http::StreamId request(std::string_view text) {
    http::StreamId id = client.session.open();
    give(client, id, text);
    return id;
  }

  // All of it, however little room there is at a time.
  void give(H2Owner& owner, http::StreamId id, std::string_view text) {
    while (!text.empty()) {
      size_t taken = owner.session.provide(id, text);
      text.remove_prefix(taken);
      if (taken == 0) {
        run();
        if (owner.session.room(id) == 0) return;  // the peer does not read
      }
    }
    run();
  }

 private:
  size_t move(H2Owner& from, H2Owner& to) {
    std::string bytes = from.pull(piece);
    for (size_t at = 0; at < bytes.size(); at += piece) to.session.feed(std::string_view(bytes).substr(at, piece), now);
    return bytes.size();
  }
};

}  // namespace lunar::test
