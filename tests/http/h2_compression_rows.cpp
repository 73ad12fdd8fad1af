// RFC 7541, as a client sends it.
#include "tests/http/h2_conformance.h"

namespace lunar::test {
namespace {

using enum http::H2Code;
using Peer = Conformance::Peer;

// GET https /, of the static table; :authority is to follow.
const std::string start = unhex("82 87 84");
const std::string authority = literal(":authority", "a.example");

std::string request(uint32_t stream, std::string_view fields) { return frame(headers, flag::whole, stream, fields); }

Conformance fine(std::string name, std::string_view fields, std::string text) {
  return {std::move(name), Peer::client, request(1, fields), accepted(std::move(text))};
}

Conformance undecodable(std::string name, const std::string& fields) {
  return {std::move(name), Peer::client, request(1, start + authority + fields), ends(compression_error)};
}

// The examples of appendix C.
std::string example(std::initializer_list<std::string_view> blocks) {
  std::string out;
  uint32_t stream = 1;
  for (std::string_view digits : blocks) {
    out += request(stream, unhex(digits));
    stream += 2;
  }
  return out;
}

constexpr std::string_view third_request =
    "opened 5\nGET /index.html HTTP/1.1\r\nhost: www.example.com\r\ncustom-key: custom-value\r\n\r\n";

std::vector<Conformance> example_rows() {
  return {
      fine("RFC 7541 C.2.1 a literal with indexing",
           start + authority + unhex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"),
           "custom-key: custom-header\r\n"),
      fine("RFC 7541 C.2.2 a literal without indexing", unhex("82 87 040c 2f73 616d 706c 652f 7061 7468") + authority,
           "GET /sample/path HTTP/1.1\r\n"),
      fine("RFC 7541 C.2.3 a literal that is never indexed",
           start + authority + unhex("1008 7061 7373 776f 7264 0673 6563 7265 74"), "password: secret\r\n"),
      {"RFC 7541 C.3 three requests", Peer::client,
       example({"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65"}),
       accepted(std::string(third_request))},
      {"RFC 7541 C.4 three requests in Huffman code", Peer::client,
       example({"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"}),
       accepted(std::string(third_request))},
  };
}

std::vector<Conformance> table_rows() {
  const std::string indexed = unhex("400178 0179");  // x: y
  return {
      fine("RFC 7541 2.3.1 the last entry of the static table", start + authority + unhex("bd"),
           "www-authenticate: \r\n"),
      undecodable("RFC 7541 2.3.3 the first entry of an empty dynamic table", unhex("be")),
      undecodable("RFC 7541 2.3.3 an entry behind the dynamic table", indexed + unhex("bf")),
      fine("RFC 7541 2.3.3 the newest entry comes first", start + authority + unhex("400178 0179 400161 0162 be bf"),
           "x: y\r\na: b\r\na: b\r\nx: y\r\n"),
      fine("RFC 7541 3.2.1 an entry may be there twice", start + authority + indexed + indexed + unhex("bf"),
           "x: y\r\nx: y\r\nx: y\r\n"),
      {"RFC 7541 2.2 the table outlives a request", Peer::client,
       request(1, start + authority + indexed).append(request(3, start + authority + unhex("be"))),
       accepted("opened 3\nGET / HTTP/1.1\r\nhost: a.example\r\nx: y\r\n")},
      {"RFC 7541 2.2 a malformed request still changes the table", Peer::client,
       request(1, indexed).append(request(3, start + authority + unhex("be"))), resets(1, protocol_error)},
      {"RFC 7541 4.4 an entry larger than the table empties it", Peer::client,
       request(1, start + authority + indexed + std::string("\x40\x01z\x7f\x81\x1f", 6) + std::string(4096, 'z'))
           .append(request(3, start + authority + unhex("be"))),
       ends(compression_error)},
      fine("RFC 7541 4.2 a smaller table at the beginning", unhex("3f 01") + start + authority, "GET / HTTP/1.1\r\n"),
      fine("RFC 7541 4.2 two changes at the beginning", unhex("20 3f e1 1f") + start + authority, "GET / HTTP/1.1\r\n"),
      {"RFC 7541 4.3 a table of no bytes forgets its entries", Peer::client,
       request(1, start + authority + indexed).append(request(3, unhex("20") + start + authority + unhex("be"))),
       ends(compression_error)},
      {"RFC 7541 6.3 a table larger than allowed", Peer::client, request(1, unhex("3f e2 1f") + start + authority),
       ends(compression_error)},
      undecodable("RFC 7541 4.2 a change behind a field", unhex("20")),
  };
}

std::vector<Conformance> coding_rows() {
  return {
      undecodable("RFC 7541 6.1 index 0", unhex("80")),
      undecodable("RFC 7541 5.1 an integer that overflows", unhex("ff ffff ffff ffff ffff ffff")),
      undecodable("RFC 7541 5.1 an integer without an end", unhex("ff 80 80 80")),
      fine("RFC 7541 5.1 an integer with zeros behind it", start + authority + unhex("0f a4 80 00 0161"),
           "referer: a\r\n"),
      undecodable("RFC 7541 5.2 a string longer than its block", unhex("00 05 6162")),
      undecodable("RFC 7541 5.2 a name without a value", unhex("00 01 61")),
      undecodable("RFC 7541 5.2 EOS in a string", unhex("00 01 61 84 ffff fffc")),
      undecodable("RFC 7541 5.2 padding of a whole byte", unhex("00 01 61 82 1fff")),
      undecodable("RFC 7541 5.2 padding of zeros", unhex("00 01 61 81 18")),
      fine("RFC 7541 5.2 a name in Huffman code", start + authority + unhex("00 81 1f 01 62"), "a: b\r\n"),
      fine("RFC 7541 5.2 a string of no bytes in Huffman code", start + authority + unhex("00 01 61 80"), "a: \r\n"),
      {"RFC 7541 5.2 a line feed in Huffman code", Peer::client,
       request(1, start + authority + unhex("00 01 61 84 ffff fff3")), resets(1, protocol_error)},
      {"RFC 7541 4.1 a block of no bytes", Peer::client, request(1, {}), resets(1, protocol_error)},
  };
}

}  // namespace

std::vector<Conformance> compression_rows() {
  std::vector<Conformance> rows = example_rows();
  for (auto part : {table_rows, coding_rows}) {
    std::vector<Conformance> more = part();
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace lunar::test
