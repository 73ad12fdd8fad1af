// Times the request head parser alone: one core, one head over and over, the best of several rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "agent/http/head.h"

using namespace lunar::http;

namespace {

constexpr std::string_view request =
    "POST /v1/chat/completions?stream=true HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: python-requests/2.31.0\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Accept: application/json, text/event-stream\r\n"
    "Connection: keep-alive\r\n"
    "Content-Type: application/json\r\n"
    "Authorization: Bearer 0123456789abcdef\r\n"
    "Content-Length: 1024\r\n\r\n";

double nanoseconds_per_head(RequestHead& head, size_t& checksum) {
  constexpr int repeats = 200'000;
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) {
    if (parse_request_head(request, head) == ParseState::complete) checksum += head.size;
  }
  std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  return spent.count() / repeats;
}

}  // namespace

int main() {
  RequestHead head;
  size_t checksum = 0;
  double best = nanoseconds_per_head(head, checksum);
  for (int round = 0; round < 20; ++round) best = std::min(best, nanoseconds_per_head(head, checksum));
  std::printf("request head of %zu bytes with %zu fields: %.0f ns (checksum %zu)\n", request.size(), head.fields.size(),
              best, checksum);
  return checksum == 0;
}
