// relay_floor: see relay.h.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>

#include "tests/bench/floor/relay.h"

namespace {

int listen_on(const lunar::Endpoint& address) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage where{};
  socklen_t length = address.to(where);
  if (bind(listener, reinterpret_cast<sockaddr*>(&where), length) < 0) lunar::bench::die("bind", errno);
  if (listen(listener, 16384) < 0) lunar::bench::die("listen", errno);
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<lunar::Endpoint> here = argc == 3 ? lunar::Endpoint::parse(argv[1]) : std::nullopt;
  std::optional<lunar::Endpoint> origin = argc == 3 ? lunar::Endpoint::parse(argv[2]) : std::nullopt;
  if (!here || !origin) {
    std::fputs("usage: relay_floor LISTEN-ADDRESS:PORT ORIGIN-ADDRESS:PORT\n", stderr);
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  lunar::bench::Relay(listen_on(*here), *origin).run();
}
