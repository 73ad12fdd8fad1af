// One gateway process: started without privileges, spoken to over a channel, its death noticed by pidfd.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/channel.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/failsafe/identity.h"
#include "flowengine/result.h"

namespace lunar {

struct GatewayCommand {
  std::string executable = "/proc/self/exe";
  std::vector<std::string> arguments{"lunard", "--role=gateway"};  // from argv[0] on
  std::optional<Identity> identity;                                // none: keeps ours
  uint64_t open_files = 0;                                         // RLIMIT_NOFILE; 0: keeps ours
};

// How it ended, for people: "killed by signal 9", "exited with code 1".
[[nodiscard]] std::string describe_exit(int code, int status);

class GatewayProcess {
 public:
  // Descriptor that the child finds its end of the channel at.
  static constexpr int channel_fd = 3;

  struct Events {
    std::function<void(ChannelMessage)> message;
    // Last of all, once; everything that it sent has been reported. The process is reaped. May destroy the object.
    std::function<void(std::string how)> ended;
  };

  [[nodiscard]] static Result<std::unique_ptr<GatewayProcess>> spawn(EventLoop& loop, const GatewayCommand& command,
                                                                     Events events);
  GatewayProcess(const GatewayProcess&) = delete;
  GatewayProcess& operator=(const GatewayProcess&) = delete;
  ~GatewayProcess();  // kills and reaps it, if it still runs

  [[nodiscard]] Result<> send(const nlohmann::json& message, std::span<const int> fds = {});
  void kill();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit GatewayProcess(Events events) : events_(std::move(events)) {}
  void on_channel(uint32_t events);
  void on_death();
  void receive_all();

  Events events_;
  pid_t pid_ = -1;
  Fd pidfd_;
  Channel channel_;
  EventLoop::Source channel_source_, death_source_;
};

}  // namespace lunar
