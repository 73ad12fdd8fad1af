#include "agent/redirect/netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/base/log.h"

namespace lunar::netns {

namespace {
Result<Fd> open_namespace(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail("cannot open the network namespace " + path, errno);
  return fd;
}
}  // namespace

Result<Fd> of_pid(uint32_t pid) { return open_namespace("/proc/" + std::to_string(pid) + "/ns/net"); }

Result<uint64_t> inode(int netns_fd) {
  struct stat status{};
  if (fstat(netns_fd, &status) != 0) return fail("cannot identify a network namespace", errno);
  return status.st_ino;
}

Result<> bring_loopback_up() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (!socket || ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return fail("cannot look at lo", errno);
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags |= IFF_UP;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail("cannot bring lo up", errno);
  return {};
}

Result<Visit> Visit::enter(int netns_fd) {
  auto home = open_namespace("/proc/thread-self/ns/net");
  if (!home) return std::unexpected(home.error());
  if (setns(netns_fd, CLONE_NEWNET) != 0)
    return fail("cannot enter a network namespace (CAP_SYS_ADMIN is needed)", errno);
  return Visit(std::move(*home));
}

Visit::~Visit() {
  if (!home_ || setns(home_.get(), CLONE_NEWNET) == 0) return;
  log::error("cannot return to the own network namespace");
  std::abort();
}

}  // namespace lunar::netns
