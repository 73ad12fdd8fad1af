#include "agent/net/client_hello.h"

#include <algorithm>
#include <optional>

namespace lunar {
namespace {

constexpr size_t record_header = 5;
constexpr size_t handshake_header = 4;
constexpr size_t largest_record = 16384;
constexpr size_t largest_message = 64 * 1024;
constexpr unsigned handshake_record = 22;
constexpr unsigned client_hello_message = 1;

enum Extension : uint16_t {
  server_name = 0,
  application_protocols = 16,
  supported_versions = 43,
  encrypted_client_hello = 0xfe0d,
};

// Big-endian numbers and length-prefixed vectors. Once something did not fit, failed() is true and all is empty.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  uint32_t number(size_t width) {
    std::string_view raw = take(width);
    uint32_t out = 0;
    for (char c : raw) out = out << 8 | static_cast<unsigned char>(c);
    return out;
  }
  std::string_view take(size_t count) {
    if (count > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    std::string_view out = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return out;
  }
  std::string_view vector(size_t length_width) { return take(number(length_width)); }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool finished() const { return bytes_.empty() && !failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

struct Message {
  HelloState state = HelloState::incomplete;
  size_t size = 0;         // with its header, when complete
  std::string_view first;  // the fragment in the first record
  std::string assembled;   // all fragments, where there are several

  [[nodiscard]] std::string_view whole() const {
    return (assembled.empty() ? first : std::string_view(assembled)).substr(0, size);
  }
};

unsigned byte_at(std::string_view bytes, size_t index) { return static_cast<unsigned char>(bytes[index]); }

// As many of the header's bytes as are there must be those of a handshake record of TLS.
bool may_be_record(std::string_view bytes) {
  if (!bytes.empty() && byte_at(bytes, 0) != handshake_record) return false;
  if (bytes.size() > 1 && byte_at(bytes, 1) != 3) return false;
  if (bytes.size() > 2 && byte_at(bytes, 2) > 4) return false;
  if (bytes.size() < record_header) return true;
  size_t length = byte_at(bytes, 3) << 8 | byte_at(bytes, 4);
  return length > 0 && length <= largest_record;
}

// Length of the whole message with its header; nothing while the header is not there. 0: not a ClientHello.
std::optional<size_t> message_size(std::string_view start) {
  if (!start.empty() && byte_at(start, 0) != client_hello_message) return 0;
  if (start.size() < handshake_header) return std::nullopt;
  size_t length = byte_at(start, 1) << 16 | byte_at(start, 2) << 8 | byte_at(start, 3);
  return length > largest_message ? 0 : handshake_header + length;
}

// The first handshake message, put together from its records.
Message read_message(std::string_view bytes) {
  Message out;
  while (may_be_record(bytes)) {
    if (bytes.size() < record_header) return out;
    size_t length = byte_at(bytes, 3) << 8 | byte_at(bytes, 4);
    std::string_view fragment = bytes.substr(record_header, length);
    if (out.first.empty()) {
      out.first = fragment;
    } else {
      if (out.assembled.empty()) out.assembled = out.first;
      out.assembled += fragment;
    }
    std::string_view so_far = out.assembled.empty() ? out.first : std::string_view(out.assembled);
    auto size = message_size(so_far);
    if (size == size_t{0}) break;
    if (size && so_far.size() >= *size) {
      out.state = HelloState::complete;
      out.size = *size;
      return out;
    }
    if (fragment.size() < length) return out;
    bytes.remove_prefix(record_header + length);
  }
  out.state = HelloState::not_tls;
  return out;
}

bool is_grease(uint32_t value) { return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff); }

bool is_grease(std::string_view protocol) {
  return protocol.size() == 2 && is_grease(byte_at(protocol, 0) << 8 | byte_at(protocol, 1));
}

// What can stand in a log line and be compared with patterns; anything else is as if no name was sent.
std::string readable_name(std::string_view name) {
  constexpr size_t longest = 253;
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
    if (!allowed) return {};
  }
  return out.size() > longest ? std::string{} : out;
}

bool read_server_name(std::string_view body, ClientHello& out) {
  Cursor extension(body);
  Cursor names(extension.vector(2));
  bool found = false;
  while (!names.empty()) {
    bool host_name = names.number(1) == 0;
    std::string_view name = names.vector(2);
    if (!host_name || found) continue;
    found = true;
    out.sni = readable_name(name);
  }
  return extension.finished() && names.finished();
}

bool read_protocols(std::string_view body, ClientHello& out) {
  Cursor extension(body);
  Cursor protocols(extension.vector(2));
  while (!protocols.empty()) {
    std::string_view protocol = protocols.vector(1);
    if (protocol.empty()) return false;
    if (!is_grease(protocol)) out.alpn.emplace_back(protocol);
  }
  return extension.finished() && protocols.finished();
}

bool read_versions(std::string_view body, ClientHello& out) {
  Cursor extension(body);
  Cursor versions(extension.vector(1));
  out.versions.clear();
  while (!versions.empty()) {
    uint32_t version = versions.number(2);
    if (!versions.failed() && !is_grease(version)) out.versions.push_back(static_cast<uint16_t>(version));
  }
  return extension.finished() && versions.finished();
}

// Of the extensions that are read here, RFC 8446 §4.2 allows one each.
bool read_extensions(std::string_view body, ClientHello& out) {
  Cursor extensions(body);
  std::vector<uint32_t> seen;
  while (!extensions.empty()) {
    uint32_t type = extensions.number(2);
    std::string_view content = extensions.vector(2);
    if (extensions.failed()) return false;
    bool known = type == server_name || type == application_protocols || type == supported_versions;
    if (known && std::ranges::find(seen, type) != seen.end()) return false;
    if (known) seen.push_back(type);
    if (type == server_name && !read_server_name(content, out)) return false;
    if (type == application_protocols && !read_protocols(content, out)) return false;
    if (type == supported_versions && !read_versions(content, out)) return false;
    if (type == encrypted_client_hello) out.encrypted_hello = true;
  }
  return true;
}

bool read_hello(std::string_view body, ClientHello& out) {
  Cursor hello(body);
  out.versions.push_back(static_cast<uint16_t>(hello.number(2)));
  hello.take(32);  // random
  bool session_fits = hello.vector(1).size() <= 32;
  size_t ciphers = hello.vector(2).size();
  bool has_compression = !hello.vector(1).empty();
  if (hello.failed() || !session_fits || ciphers < 2 || ciphers % 2 != 0 || !has_compression) return false;
  if (hello.empty()) return true;  // before TLS 1.3, extensions may be left out
  std::string_view extensions = hello.vector(2);
  return hello.finished() && read_extensions(extensions, out);
}

}  // namespace

bool ClientHello::offers_alpn(std::string_view protocol) const {
  return std::ranges::find(alpn, protocol) != alpn.end();
}

HelloState parse_client_hello(std::string_view bytes, ClientHello& out) {
  out = {};
  bool bounded = bytes.size() < max_hello_bytes;
  Message message = read_message(bytes.substr(0, max_hello_bytes));
  if (message.state == HelloState::incomplete) return bounded ? HelloState::incomplete : HelloState::not_tls;
  if (message.state == HelloState::not_tls) return HelloState::not_tls;
  if (read_hello(message.whole().substr(handshake_header), out)) return HelloState::complete;
  out = {};
  return HelloState::not_tls;
}

}  // namespace lunar
