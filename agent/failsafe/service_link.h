// What lunard says to systemd and what systemd keeps for it (sd_notify(3), sd_listen_fds(3)). Started by hand, all of
// it does nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/event_loop.h"
#include "agent/redirect/hook.h"

namespace lunar {

class ServiceLink {
 public:
  // Takes what the fd store (or a socket unit) gave to this process; once, before any thread is started.
  [[nodiscard]] static std::vector<NamedFd> take_descriptors();

  // Answers the watchdog, where the unit has one, for as long as the loop turns.
  explicit ServiceLink(EventLoop& loop);
  // What a predecessor stored is forgotten with the next forget_all(), else systemd would hold it for ever.
  void inherit(const std::vector<NamedFd>& stored);

  void ready() const;
  void reloading() const;
  void stopping() const;
  void status(const std::string& text) const;

  // Kept by systemd until forgotten, over crashes and restarts of the service. Names are those of NamedFd.
  void store(const std::string& name, int fd);
  void forget(const std::string& name);
  void forget_all();

 private:
  void notify(const std::string& state) const;

  std::vector<std::string> stored_;
  EventLoop::Source watchdog_;
};

}  // namespace lunar
