// What is captured: named targets, the cgroups that they stand for, and the hook's policies for those. A target
// outlives its cgroup: when systemd recreates it, inotify tells, and the new one is captured at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/redirect/hook.h"
#include "agent/redirect/netns_listener.h"
#include "flowengine/result.h"

namespace lunar {

struct AttachOptions {
  Policy policy = Policy::capture;
  bool netns = false;           // also open listeners in the target's network namespace
  bool reset_existing = false;  // once, at attach: reset the connections that its processes have open
  bool transient = false;       // not in the state file
};

struct Attachment {
  std::string target;  // as given, except that a pid became the path of its cgroup
  AttachOptions options;
  std::vector<std::string> cgroups;   // paths below the mount that match now; empty: waiting for it to start
  std::vector<std::string> warnings;  // why parts of it are not captured
};

struct AttachReport {
  Attachment attachment;
  bool created = false;  // false: was attached already, options are updated
  uint32_t connections_reset = 0;
};

class Attachments {
 public:
  struct Places {
    std::string cgroup_root;  // mount point of cgroup2
    std::string state_file;   // JSON; empty: nothing persists
    std::string own_cgroup;   // path below the mount: always bypassed; "" for none
  };

  // Reads the state file and applies it. A damaged file is an error and left as it is.
  [[nodiscard]] static Result<std::unique_ptr<Attachments>> open(Hook& hook, NetnsListeners* netns, Places places);
  ~Attachments();
  Attachments(const Attachments&) = delete;
  Attachments& operator=(const Attachments&) = delete;

  // Target: "/system.slice/shop.service" (path below or including the mount), "shop.service", a container's id or its
  // first 8+ characters, a machine's name, or "pid:1234". An unknown unit is accepted and captured when it starts.
  [[nodiscard]] Result<AttachReport> attach(std::string_view target, const AttachOptions& options = {});
  [[nodiscard]] Result<bool> detach(std::string_view target);  // false: was not attached
  [[nodiscard]] std::vector<Attachment> list() const;

  [[nodiscard]] int fd() const;  // inotify: poll for reading, then:
  void on_readable();
  // Looks at everything again: once a second or so, because nothing tells when an egress filter appears on a cgroup.
  void refresh();

 private:
  struct State;
  explicit Attachments(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lunar
