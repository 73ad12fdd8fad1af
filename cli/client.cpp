#include "cli/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace lunar::cli {
namespace {

// Reads an answer piece by piece: status line and fields first, then what belongs to the body.
class AnswerReader {
 public:
  explicit AnswerReader(Answer& answer) : answer_(answer) {}

  // False: these bytes are no HTTP answer.
  bool feed(std::string_view bytes) {
    if (in_body_) {
      answer_.body += bytes;
      return true;
    }
    head_ += bytes;
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return head_.size() < 65536;
    in_body_ = true;
    answer_.body = head_.substr(end + 4);
    head_.resize(end + 2);
    length_ = field_number("\r\nContent-Length: ");
    return head_.starts_with("HTTP/1.") && head_.size() > 12 &&
           number(std::string_view(head_).substr(9), answer_.status);
  }
  [[nodiscard]] bool in_body() const { return in_body_; }
  // What the length promised has not come, or no head has.
  [[nodiscard]] bool cut() const { return !in_body_ || (length_ && answer_.body.size() < *length_); }

 private:
  template <class Number>
  static bool number(std::string_view text, Number& out) {
    return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{};
  }
  [[nodiscard]] std::optional<size_t> field_number(std::string_view name) const {
    const size_t at = head_.find(name);
    size_t value = 0;
    if (at == std::string::npos || !number(std::string_view(head_).substr(at + name.size()), value))
      return std::nullopt;
    return value;
  }

  Answer& answer_;
  std::string head_;
  bool in_body_ = false;
  std::optional<size_t> length_;
};

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> unreachable(const std::string& path, int error) {
  if (error == EACCES || error == EPERM) {
    return fail("this user may not use " + path + ": run as root, or as a member of its group (usually `lunar`)",
                error);
  }
  if (error == ENOENT || error == ECONNREFUSED) {
    return fail("lunard does not listen on " + path +
                    ": start it with `systemctl start lunard`, or name its socket with --socket",
                error);
  }
  return fail("cannot connect to " + path + ": " + std::strerror(error), error);
}

Result<Connection> connect_to(const std::string& path, std::chrono::seconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return unreachable(path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(connection.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(connection.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(connection.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return unreachable(path, errno);
  }
  return connection;
}

Result<> send_request(const Connection& connection, const Request& request) {
  std::string text = request.method + " " + request.target + " HTTP/1.0\r\n";
  if (!request.body.empty()) {
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  text += "\r\n" + request.body;
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t count = ::send(connection.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(std::string("the daemon does not read: ") + std::strerror(errno), errno);
    rest.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

bool is_unreserved(char byte) {
  const auto lower = static_cast<char>(byte | 0x20);
  return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
         byte == '~';
}

void append_encoded(std::string& text, std::string_view value) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char byte : value) {
    if (is_unreserved(byte)) {
      text += byte;
    } else {
      text += {'%', kHex[static_cast<unsigned char>(byte) >> 4], kHex[static_cast<unsigned char>(byte) & 15]};
    }
  }
}

// 0: the daemon has sent everything.
Result<size_t> receive(const Connection& connection, std::span<char> buffer) {
  ssize_t count = -1;
  do {
    count = ::recv(connection.fd(), buffer.data(), buffer.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return static_cast<size_t>(count);
  return fail("the daemon does not answer; it may hang: see `journalctl -u lunard`", errno == EACCES ? EIO : errno);
}

// Hands over every complete line; false when no more are wanted.
bool take_lines(std::string& text, const std::function<bool(std::string_view)>& each) {
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    if (!each(std::string_view(text).substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  text.erase(0, begin);
  return true;
}

}  // namespace

std::string query(std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    text += text.empty() ? '?' : '&';
    text += name;
    text += '=';
    append_encoded(text, value);
  }
  return text;
}

Result<Answer> Client::ask(const Request& request) const { return follow(request, {}); }

Result<Answer> Client::follow(const Request& request, const std::function<bool(std::string_view)>& each) const {
  const Result<Connection> connection = connect_to(socket_, request.patience);
  if (!connection) return std::unexpected(connection.error());
  if (const Result<> sent = send_request(*connection, request); !sent) return std::unexpected(sent.error());
  Answer answer;
  AnswerReader reader(answer);
  std::array<char, 65536> buffer;
  while (true) {
    const Result<size_t> count = receive(*connection, buffer);
    if (!count) return std::unexpected(count.error());
    if (*count == 0) break;
    if (!reader.feed({buffer.data(), *count})) return fail("what listens on " + socket_ + " is not lunard");
    const bool has_lines = each && reader.in_body() && answer.status / 100 == 2;
    if (has_lines && !take_lines(answer.body, each)) return answer;
  }
  if (!each && reader.cut()) {
    return fail("the daemon closed the connection in the middle of its answer; see `journalctl -u lunard`");
  }
  return answer;
}

}  // namespace lunar::cli
