#include "agent/redirect/listeners.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace lunar {

namespace {

constexpr int port_attempts = 16;

IpAddress worker_address(uint32_t worker, uint32_t k) { return IpAddress::v4(htonl(0x7f4d0000U | (worker << 8U) | k)); }

IpAddress loopback6() {
  IpAddress out;
  out.bytes.back() = 1;
  return out;
}

Result<Fd> listen_on(const Endpoint& at, int backlog) {
  const bool v4 = at.address.is_v4();
  Fd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return fail("cannot open a socket for " + at.text(), errno);
  const int on = 1;
  sockaddr_storage address{};
  const socklen_t length = at.to(address);
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!v4) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(fd.get(), backlog) != 0)
    return fail("cannot listen on " + at.text(), errno);
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return Endpoint::from(address).port;
}

bool family_is_missing(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

// One port on each of the worker's addresses.
Result<std::vector<WorkerListener>> open_v4(uint32_t worker, uint16_t port, int backlog) {
  std::vector<WorkerListener> out;
  for (uint32_t k = 1; k <= LUNAR_ADDRESSES_PER_WORKER; ++k) {
    auto fd = listen_on({worker_address(worker, k), port}, backlog);
    if (!fd) return std::unexpected(fd.error());
    port = port_of(fd->get());
    out.push_back({std::move(*fd), worker, {worker_address(worker, k), port}});
  }
  return out;
}

}  // namespace

Result<std::vector<WorkerListener>> open_worker_listeners(uint32_t worker, WorkerPorts ports, int backlog) {
  if (worker >= LUNAR_MAX_WORKERS) return fail("there are at most " + std::to_string(LUNAR_MAX_WORKERS) + " workers");
  auto listeners = open_v4(worker, ports.v4, backlog);
  // A port that the kernel chose for the first address may be taken on the others.
  for (int i = 0; i < port_attempts && !listeners && ports.v4 == 0 && listeners.error().os_error == EADDRINUSE; ++i)
    listeners = open_v4(worker, 0, backlog);
  if (!listeners) {
    if (!family_is_missing(listeners.error().os_error)) return listeners;
    listeners = std::vector<WorkerListener>{};
  }
  auto v6 = listen_on({loopback6(), ports.v6}, backlog);
  if (v6) {
    const uint16_t port = port_of(v6->get());
    listeners->push_back({std::move(*v6), worker, {loopback6(), port}});
  } else if (!family_is_missing(v6.error().os_error)) {
    return std::unexpected(v6.error());
  }
  if (listeners->empty()) return fail("neither IPv4 nor IPv6 loopback is there to listen on", EADDRNOTAVAIL);
  return listeners;
}

WorkerPorts ports_of(const std::vector<WorkerListener>& listeners) {
  WorkerPorts ports;
  for (const WorkerListener& listener : listeners)
    (listener.address.address.is_v4() ? ports.v4 : ports.v6) = listener.address.port;
  return ports;
}

// For a listening socket the kernel reports its queue in tcpi_unacked.
uint32_t pending_accepts(int listener_fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(listener_fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
  return info.tcpi_state == TCP_LISTEN ? info.tcpi_unacked : 0;
}

void shut_listener(int listener_fd) { shutdown(listener_fd, SHUT_RDWR); }

}  // namespace lunar
