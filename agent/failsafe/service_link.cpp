#include "agent/failsafe/service_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>

#include "agent/base/log.h"

namespace lunar {

std::vector<NamedFd> ServiceLink::take_descriptors() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  std::vector<NamedFd> taken;
  for (int i = 0; i < count; ++i) {
    const int fd = SD_LISTEN_FDS_START + i;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    taken.push_back({.name = names[i], .fd = Fd(fd)});
    free(names[i]);
  }
  free(names);
  return taken;
}

ServiceLink::ServiceLink(EventLoop& loop) {
  uint64_t limit_us = 0;
  if (sd_watchdog_enabled(0, &limit_us) <= 0) return;
  const auto period = std::chrono::microseconds(limit_us / 3);
  watchdog_ = loop.timer([this, period] {
    notify("WATCHDOG=1");
    watchdog_.fire_after(period);
  });
  watchdog_.fire_after(Nanoseconds(0));
}

void ServiceLink::inherit(const std::vector<NamedFd>& stored) {
  for (const NamedFd& named : stored) {
    if (std::ranges::find(stored_, named.name) == stored_.end()) stored_.push_back(named.name);
  }
}

void ServiceLink::ready() const { notify("READY=1"); }

void ServiceLink::reloading() const {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now().time_since_epoch());
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.count()));
}

void ServiceLink::stopping() const { notify("STOPPING=1"); }

void ServiceLink::status(const std::string& text) const { notify("STATUS=" + text); }

void ServiceLink::store(const std::string& name, int fd) {
  if (getenv("NOTIFY_SOCKET") == nullptr) return;
  const std::string state = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name;
  if (const int error = sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1); error < 0) {
    log::warn("systemd does not keep {} for a restart: {}", name, strerror(-error));
    return;
  }
  if (std::ranges::find(stored_, name) == stored_.end()) stored_.push_back(name);
}

void ServiceLink::forget(const std::string& name) {
  notify("FDSTOREREMOVE=1\nFDNAME=" + name);
  std::erase(stored_, name);
}

void ServiceLink::forget_all() {
  for (const std::string& name : std::vector(stored_)) forget(name);
}

void ServiceLink::notify(const std::string& state) const {
  if (const int error = sd_notify(0, state.c_str()); error < 0)
    log::debug("systemd was not told: {}", strerror(-error));
}

}  // namespace lunar
