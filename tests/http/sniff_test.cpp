#include "agent/http/sniff.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar::http;

namespace {

// How many bytes it takes to decide; checks that the verdict then stays.
size_t decided_after(std::string_view text, Sniff verdict) {
  size_t decided = 0;
  for (size_t size = 0; size <= text.size(); ++size) {
    Sniff now = looks_like_http(text.substr(0, size));
    if (decided == 0 && now == Sniff::need_more) continue;
    CAPTURE(size);
    CHECK(now == verdict);
    if (decided == 0) decided = size;
  }
  return decided;
}

}  // namespace

TEST_CASE("sniff: recognises requests as soon as the target begins") {
  CHECK(decided_after("GET / HTTP/1.1\r\n", Sniff::yes) == 5);
  CHECK(decided_after("OPTIONS * HTTP/1.1\r\n", Sniff::yes) == 9);
  CHECK(decided_after("GET http://a/ HTTP/1.1\r\n", Sniff::yes) == 9);
  CHECK(decided_after("GET HTTPS://a/ HTTP/1.1\r\n", Sniff::yes) == 10);
  CHECK(decided_after("CONNECT a:443 HTTP/1.1\r\n", Sniff::yes) == 9);
  CHECK(decided_after("\r\nGET / HTTP/1.1\r\n", Sniff::yes) == 7);
  CHECK(decided_after("VERSION-CONTROL /x HTTP/1.1\r\n", Sniff::yes) == 17);
}

TEST_CASE("sniff: sends everything else away early") {
  CHECK(decided_after("\x16\x03\x01\x02", Sniff::no) == 1);                  // TLS
  CHECK(decided_after("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniff::no) == 5);  // HTTP/2
  CHECK(decided_after("SSH-2.0-OpenSSH_9.2p1\r\n", Sniff::no) == 22);        //
  CHECK(decided_after("PING\r\n", Sniff::no) == 5);                          // Redis, inline
  CHECK(decided_after("*1\r\n$4\r\nPING\r\n", Sniff::no) == 3);              // Redis
  CHECK(decided_after("get key\r\n", Sniff::no) == 5);                       // memcached
  CHECK(decided_after("EHLO a.example.com\r\n", Sniff::no) == 6);            // SMTP
  CHECK(decided_after("OPTIONS rtsp://a/ RTSP/1.0\r\n", Sniff::no) == 9);    // RTSP
  CHECK(decided_after("REGISTER sip:a SIP/2.0\r\n", Sniff::no) == 10);       // SIP
  CHECK(decided_after("GET https;//a\r\n", Sniff::no) == 10);                //
  CHECK(decided_after(std::string("\0\0\0\x08", 4), Sniff::no) == 1);        // PostgreSQL
  CHECK(decided_after(std::string(60, 'A'), Sniff::no) == 33);               // no method is that long
  CHECK(decided_after(" GET /", Sniff::no) == 1);                            //
}

TEST_CASE("sniff: needs more for a beginning that may still become a request") {
  for (std::string_view text : {"", "G", "GET", "GET ", "GET http", "\r", "\r\n", "PRI ", "PRI"})
    CHECK(looks_like_http(text) == Sniff::need_more);
}
