// Sockets and a loop for tests of streams: everything in this process, nothing but loopback.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/fd.h"
#include "agent/uring/loop.h"
#include "agent/uring/stream.h"

namespace lunar::uring::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Pair {
  Fd ours;
  Fd theirs;
};

inline Fd listen_on_loopback(Endpoint& at, int backlog = 1024) {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  auto loopback = Endpoint{IpAddress::v4(htonl(INADDR_LOOPBACK)), 0};
  socklen_t length = loopback.to(address);
  REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener.get(), backlog) == 0);
  length = sizeof address;
  REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  at = Endpoint::from(address);
  return listener;
}

inline Fd connect_to(const Endpoint& destination) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t length = destination.to(address);
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  return socket;
}

// The next connection in the listener's queue; none when it is empty.
inline Fd accept_waiting(const Fd& listener) {
  pollfd waiting{.fd = listener.get(), .events = POLLIN, .revents = 0};
  return Fd(poll(&waiting, 1, 0) == 1 ? accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC) : -1);
}

inline void abort_connection(Fd& socket) {
  linger now{.l_onoff = 1, .l_linger = 0};
  REQUIRE(setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  socket.reset();
}

inline Pair tcp_pair() {
  Endpoint at;
  Fd listener = listen_on_loopback(at);
  Fd theirs = connect_to(at);
  Fd ours(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(ours);
  return {std::move(ours), std::move(theirs)};
}

inline Pair unix_pair() {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

inline void send_all(const Fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(sent > 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

// What is there now.
inline std::string receive_available(const Fd& socket) {
  std::string all;
  char chunk[65536];
  ssize_t got = 0;
  while ((got = recv(socket.get(), chunk, sizeof chunk, MSG_DONTWAIT)) > 0) all.append(chunk, static_cast<size_t>(got));
  return all;
}

inline void set_buffer(const Fd& socket, int option, int bytes) {
  REQUIRE(setsockopt(socket.get(), SOL_SOCKET, option, &bytes, sizeof bytes) == 0);
}

// Bytes of which each tells its place.
inline std::string pattern(size_t bytes, size_t from = 0) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((from + i) * 2654435761u >> 13);
  return text;
}

// As many as the test needs, where the soft limit is lower than it must be.
inline void allow_descriptors(rlim_t wanted) {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

inline size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

struct Ground {
  explicit Ground(unsigned buffers = 1024) {
    auto opened = loop.open(buffers);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
    frames = FramePool::in_use();
  }
  // Whatever the test did, nothing is left of it.
  ~Ground() {
    CHECK(until([&] { return FramePool::in_use() == frames; }));
    CHECK(loop.buffers().free_small() == loop.buffers().total_small());
  }

  // Runs the loop until the condition holds; false when it does not in good time.
  [[nodiscard]] bool until(const std::function<bool()>& condition) {
    MonotonicTime limit = monotonic_now() + seconds(30);
    bool held = false;
    auto ran = loop.run(milliseconds(5), [&](MonotonicTime now) {
      held = condition();
      if (held || now > limit) loop.stop();
    });
    return ran.has_value() && held;
  }
  void run_for(Nanoseconds time) {
    MonotonicTime end = monotonic_now() + time;
    CHECK(until([&] { return monotonic_now() >= end; }));
  }
  void turns(int count) {
    auto ran = loop.run(std::chrono::microseconds(500), [&, count](MonotonicTime) mutable {
      if (--count < 0) loop.stop();
    });
    CHECK(ran.has_value());
  }
  // Everything that is on its way in the kernel arrives.
  void settle() { turns(6); }

  StreamRef adopt(Fd socket) { return Stream::adopt(loop, std::move(socket)); }
  BufferRef piece(std::string_view bytes) {
    BufferRef buffer = loop.buffers().sized(static_cast<uint32_t>(std::max<size_t>(bytes.size(), 1)));
    memcpy(buffer->memory, bytes.data(), bytes.size());
    buffer->end = static_cast<uint32_t>(bytes.size());
    return buffer;
  }

  Loop loop;
  size_t frames = 0;
};

inline std::string take_all(Stream& stream) {
  std::string all;
  while (stream.input() != nullptr) {
    BufferRef piece = stream.take();
    all += piece->view();
  }
  return all;
}

}  // namespace lunar::uring::test
