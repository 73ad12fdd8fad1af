// The last access log lines, and those who follow new ones. A follower that reads too slowly loses lines, is told
// how many, and delays nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <string_view>

#include "agent/admin/http_server.h"

namespace lunar::admin {

struct TailFilter {
  std::string host;  // empty: any; matches the host and everything below it
  std::string unit;  // unit or container
  std::string pid;
};

struct TailLine {
  std::string line;
  std::string host;
  std::string unit;
  uint32_t pid = 0;
};

[[nodiscard]] bool passes(const TailFilter& filter, const TailLine& line);

class Tail {
 public:
  static constexpr size_t kKept = 256;
  static constexpr size_t kFollowers = 32;

  [[nodiscard]] bool followed() const { return !followers_.empty(); }
  // The line to fill in next: an old one, whose memory is used again.
  [[nodiscard]] TailLine& next();
  // It is complete.
  void publish();

  // Streams the last `count` lines that pass, then new ones if `follow`.
  void serve(const TailFilter& filter, size_t count, bool follow, HttpReply reply);
  void end_all();

 private:
  struct Follower {
    TailFilter filter;
    HttpReply reply;
    uint64_t lost = 0;
  };
  static void send(Follower& follower, const std::string& line);

  std::deque<TailLine> lines_;
  std::list<Follower> followers_;
};

}  // namespace lunar::admin
