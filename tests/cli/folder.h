// A configuration folder that a test writes, and a daemon that gives one answer.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace lunar::cli::testing {

struct Folder {
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "lunarctl-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  Folder& file(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
    return *this;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path path;
};

// Answers the first request that comes, whatever it is, and keeps it.
class OneAnswer {
 public:
  OneAnswer(int status, std::string body)
      : answer_("HTTP/1.1 " + std::to_string(status) + " Any\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, socket().c_str(), socket().size() + 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  ~OneAnswer() {
    finish();
    ::close(listener_);
  }

  [[nodiscard]] std::string socket() const { return folder_.path / "control"; }
  // The first line of what was asked.
  [[nodiscard]] std::string asked() {
    finish();
    return request_.substr(0, request_.find('\r'));
  }

 private:
  void finish() {
    if (thread_.joinable()) thread_.join();
  }
  void serve() {
    pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 10'000) != 1) return;
    const int peer = ::accept(listener_, nullptr, nullptr);
    std::string piece(4096, '\0');
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(peer, piece.data(), piece.size(), 0);
      if (count <= 0) break;
      request_.append(piece, 0, static_cast<size_t>(count));
    }
    (void)::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    ::close(peer);
  }

  Folder folder_;
  std::string answer_;
  std::string request_;
  int listener_ = -1;
  std::thread thread_;
};

inline constexpr const char* straight_flow = R"(name: Straight
filter: {url: "a.example.com/*", methods: [GET]}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)";

inline constexpr const char* refusing_flow = R"(name: Refusing
filter: {url: "a.example.com/admin/*"}
processors:
  Refuse: {processor: GenerateResponse, parameters: [{key: status, value: 403}, {key: body, value: "no <b>"}]}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {processor: {name: Refuse}}}]
  response:
    - {from: {processor: {name: Refuse}}, to: {stream: {name: s, at: end}}}
    - {from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}
)";

}  // namespace lunar::cli::testing
