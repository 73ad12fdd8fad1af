// A server under test and its client, on one thread: sockets in a directory that goes with the test.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "agent/base/event_loop.h"
#include "agent/base/fd.h"

namespace lunar::admin::testing {

struct Directory {
  Directory() {
    std::array<char, 32> name{"/tmp/lunar-admin-XXXXXX"};
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name.data();
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

inline Fd listen_unix(const std::string& path, int backlog = 64) {
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = unix_address(path);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), backlog) == 0);
  return listener;
}

// A client that never blocks: it lets the loop of the server run until what it waits for is there.
class Client {
 public:
  Client(EventLoop& loop, const std::string& path)
      : loop_(loop), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = unix_address(path);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
      if (count < 0 && errno != EAGAIN) return;
      loop_.run_once(std::chrono::milliseconds(count < 0 ? 1 : 0));
    }
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }

  // What has come so far; waits until `enough` says so, the peer closes, or `limit` is over.
  const std::string& receive(const std::function<bool(const std::string&)>& enough,
                             std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const auto end = monotonic_now() + limit;
    while (!enough(received) && !closed && monotonic_now() < end) {
      loop_.run_once(std::chrono::milliseconds(1));
      std::array<char, 65536> buffer;
      const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (count > 0) received.append(buffer.data(), static_cast<size_t>(count));
      if (count == 0 || (count < 0 && errno != EAGAIN)) closed = true;
    }
    return received;
  }
  const std::string& until(std::string_view text) {
    return receive([text](const std::string& got) { return got.find(text) != std::string::npos; });
  }
  const std::string& until_closed() {
    return receive([](const std::string&) { return false; });
  }

  std::string received;
  bool closed = false;

 private:
  EventLoop& loop_;
  Fd socket_;
};

inline int status_of(const std::string& response) { return response.size() > 12 ? std::atoi(response.c_str() + 9) : 0; }
inline std::string body_of(const std::string& response) {
  const size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}

}  // namespace lunar::admin::testing
